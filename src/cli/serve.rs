use tokio_util::sync::CancellationToken;

use super::{Failure, ServeArgs};
use crate::config::Sources;
use crate::start::{self, bind, expect_ours, open, prepare, run, settings, stop_signal};
use crate::telemetry;
use crate::types::RequestId;

pub(super) async fn serve(args: ServeArgs, mut sources: Sources) -> Result<(), Failure> {
    sources
        .flags
        .extend(args.listen.map(|listen| ("server.listen", listen)));
    sources
        .flags
        .extend(args.metrics_listen.map(|listen| ("metrics.listen", listen)));
    let config = settings(&sources)?;
    telemetry::start_logs(&config.log).map_err(Failure::usage)?;
    let app = open(&config)?;
    prepare(&app, config.mode, !args.no_migrate).await?;
    let listener = bind(config.server.listen)?;
    let metrics = bind(config.metrics_listen)?;
    let cancel = CancellationToken::new();
    let (working, settling) = match args.no_workers {
        true => (None, None),
        false => (
            Some(start::work(&app, &config, cancel.clone())),
            start::settle(&app, &config, RequestId::generate().to_string(), cancel.clone()).await?,
        ),
    };
    run(app, &config, listener, metrics, cancel).await?;
    start::settled(settling).await;
    start::delivered(working).await;
    Ok(())
}

pub(super) async fn work(sources: &Sources) -> Result<(), Failure> {
    let config = settings(sources)?;
    telemetry::start_logs(&config.log).map_err(Failure::usage)?;
    let app = open(&config)?;
    expect_ours(&app).await?;
    let cancel = CancellationToken::new();
    let working = start::work(&app, &config, cancel.clone());
    let settling = start::settle(&app, &config, RequestId::generate().to_string(), cancel.clone()).await?;
    tracing::info!("working in the background; SIGTERM stops");
    stop_signal().await?;
    cancel.cancel();
    start::settled(settling).await;
    start::delivered(Some(working)).await;
    Ok(())
}
