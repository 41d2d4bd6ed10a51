//! All routes under one actix application, the metrics on a listener of their own, and a stop that loses nothing.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::{ResourceDef, ServerHandle};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, HttpServer, get, web};
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi, Url};

use crate::api::dalp;
use crate::api::dialect::Dialect;
use crate::api::health::Stopping;
use crate::api::unserved::Unserved;
use crate::api::{certhis, edge, health, immutable, openapi};
use crate::app::App;
use crate::compliance;

/// Between `/readyz` saying no and the listener closing, so that a balancer notices first. A stop that may not wait gives
/// no notice.
const NOTICE: Duration = Duration::from_millis(500);
/// How long the metrics wait for the database: they are wanted most when it does not answer.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// The documents that the page at `/docs` offers, one per dialect; their routes serve them.
const DOCUMENTS: [(&str, &str); 3] = [
    ("Asset API", "/openapi.json"),
    ("Minting API (/v1)", "/v1/openapi.json"),
    ("Mint API (/mint)", "/mint/openapi.json"),
];

fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(health::livez)
        .service(health::readyz)
        .service(health::healthz);
    config.configure(dalp::routes);
}

/// The OpenAPI document of this server.
pub fn document() -> OpenApi {
    let (_, document) = actix_web::App::new()
        .into_utoipa_app()
        .openapi(openapi::base())
        .configure(routes)
        .split_for_parts();
    openapi::finish(document)
}

/// Which methods a path has, for 405 instead of 404.
struct RouteTable(Vec<(ResourceDef, Vec<String>)>);

impl RouteTable {
    fn of(document: &OpenApi) -> Self {
        let mut table: Vec<(String, Vec<String>)> = Vec::new();
        let of_immutable = immutable::ROUTES.iter().map(|(method, path, _)| (*method, *path));
        let of_certhis = certhis::ROUTES.iter().map(|(method, path, _)| (*method, *path));
        let others = of_immutable.chain(of_certhis);
        let others = others.map(|(method, path)| (method.to_owned(), path.to_owned()));
        for (method, path) in openapi::route_list(document).into_iter().chain(others) {
            match table.iter_mut().find(|(known, _)| *known == path) {
                Some((_, methods)) => methods.push(method),
                None => table.push((path, vec![method])),
            }
        }
        Self(
            table
                .into_iter()
                .map(|(path, methods)| (ResourceDef::new(path), methods))
                .collect(),
        )
    }

    fn methods(&self, path: &str) -> Vec<String> {
        let matching = self.0.iter().filter(|(pattern, _)| pattern.is_match(path));
        matching.flat_map(|(_, methods)| methods.iter().cloned()).collect()
    }
}

async fn unmatched(request: HttpRequest, table: web::Data<RouteTable>) -> Result<HttpResponse, actix_web::Error> {
    let dialect = Dialect::of(request.path());
    let methods = table.methods(request.path());
    let head_of_get = request.method() == actix_web::http::Method::HEAD && methods.iter().any(|m| m == "GET");
    if methods.is_empty() || head_of_get {
        return Err(dialect.refuse(Unserved::RouteUnknown));
    }
    let allow = methods.join(", ");
    Err(dialect.refuse(Unserved::MethodUnknown { allow }))
}

#[get("/openapi.json")]
async fn openapi_json(text: web::Data<DocumentText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text.0.clone())
}

struct DocumentText(String);

/// A running server. Dropping it does not stop it.
pub struct Running {
    app: web::Data<App>,
    handle: ServerHandle,
    stopping: web::Data<Stopping>,
    notice: Duration,
}

impl Running {
    /// Says "not ready", gives the balancer a moment, then answers what is in progress and closes.
    pub async fn stop(&self) {
        self.stopping.begin();
        tokio::time::sleep(self.notice).await;
        self.handle.stop(true).await;
        immutable::finish(&self.app).await;
    }
}

/// How many threads serve, and how long a stop waits for requests in progress.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub workers: usize,
    pub stop: Duration,
}

/// Starts serving on a listener that is bound already, so that a port in use was found before.
pub fn start(
    app: App,
    listener: TcpListener,
    shape: Shape,
) -> std::io::Result<(Running, impl Future<Output = std::io::Result<()>>)> {
    let document = document();
    let text = openapi::render(&document).map_err(std::io::Error::other)?;
    let app = web::Data::new(app);
    let running = app.clone();
    let stopping = web::Data::new(Stopping::default());
    let table = web::Data::new(RouteTable::of(&document));
    let text = web::Data::new(DocumentText(text));
    let data = (app, stopping.clone(), table, text);
    let server = HttpServer::new(move || {
        let (app, stopping, table, text) = data.clone();
        // Without this word the page asks swagger.io to judge the document.
        let ui = Config::new(DOCUMENTS.map(|(name, url)| Url::new(name, url))).validator_url("none");
        let ui = SwaggerUi::new("/docs/{_:.*}").config(ui);
        let (web_app, _) = actix_web::App::new()
            .into_utoipa_app()
            .openapi(openapi::base())
            .configure(routes)
            .split_for_parts();
        web_app
            .app_data(app)
            .app_data(stopping)
            .app_data(table)
            .app_data(text)
            .service(openapi_json)
            .configure(immutable::routes)
            .configure(certhis::routes)
            .service(web::redirect("/docs", "/docs/"))
            .service(ui)
            .default_service(web::to(unmatched))
            .wrap(
                DefaultHeaders::new()
                    .add(("X-Content-Type-Options", "nosniff"))
                    .add(("Cache-Control", "no-store")),
            )
            .wrap(from_fn(edge::edge))
    })
    .workers(shape.workers)
    .shutdown_timeout(shape.stop.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((
        Running {
            app: running,
            handle: server.handle(),
            stopping,
            notice: NOTICE.min(shape.stop),
        },
        server,
    ))
}

/// Starts the metrics listener: `/metrics`, never public.
pub fn start_metrics(
    app: App,
    recorder: PrometheusHandle,
    listener: TcpListener,
) -> std::io::Result<(ServerHandle, impl Future<Output = std::io::Result<()>>)> {
    let data = web::Data::new((app, recorder));
    let server = HttpServer::new(move || actix_web::App::new().app_data(data.clone()).service(metrics_text))
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok((server.handle(), server))
}

/// Anybody may put another policy in force at any time; while the database is away the last answer stands.
async fn look_at_policy(app: &App) {
    let active = tokio::time::timeout(LOOK_MAX, app.db().read(compliance::active_policy)).await;
    if let Ok(Ok(active)) = active {
        let is_ours = active == Some(app.policy().hash);
        metrics::gauge!("policy_active").set(if is_ours { 1.0 } else { 0.0 });
    }
}

#[get("/metrics")]
async fn metrics_text(data: web::Data<(App, PrometheusHandle)>) -> HttpResponse {
    let (app, recorder) = data.get_ref();
    let gauge = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    metrics::gauge!("mint_lane_waiting").set(gauge(app.lanes().waiting()));
    metrics::gauge!("db_connections_in_use").set(gauge(app.db().connections_in_use()));
    look_at_policy(app).await;
    recorder.run_upkeep();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(recorder.render())
}
