//! `/api/auth/{pincode,two-factor,secret-codes}/…`: setting up, changing and removing wallet verification (dalp.md A8).
//!
//! The first method is set up with the API key alone; every later change needs `walletVerification` with a method that is
//! set up. A `password` in a body is not looked at: there are no passwords here.

use actix_web::{HttpResponse, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::{Issues, secret_text};
use super::mutate::{Steps, no_locks};
use super::{Answer, Body, Call, Code, DalpError, Terms, WalletVerification};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::wallet::{self, Algorithm, Enrolment, Method, Pin, Proof, SecretCodes, Shown};

/// What the caller can verify with after the change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "success": true, "verificationTypes": ["PINCODE"] }))]
pub struct MethodsObject {
    success: bool,
    /// Methods that are set up: `PINCODE`, `OTP`, `SECRET_CODES`.
    verification_types: Vec<&'static str>,
}

impl MethodsObject {
    fn answer(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<Answer, Error> {
        let methods = wallet::set_up_methods(tx, ctx.actor.user)?;
        Answer::ok(&Self {
            success: true,
            verification_types: methods.into_iter().map(Method::as_str).collect(),
        })
    }
}

/// What a change of methods is checked against: the code that was given, once there is a method to check it with.
struct StepUp {
    code: Option<Code>,
    shown: Shown,
}

impl StepUp {
    async fn of(call: &Call, given: Option<Code>) -> Result<Self, DalpError> {
        let is_needed = call.read(|tx, ctx| wallet::needs_code(tx, ctx.actor.user)).await?;
        let code = given.filter(|_| is_needed);
        let shown = if code.is_some() { Shown::Code } else { Shown::KeyAlone };
        Ok(Self { code, shown })
    }

    fn terms(self) -> Terms {
        Terms {
            code: self.code,
            asset: None,
        }
    }
}

fn anybody(_: &mut Tx<'_>, _: &Ctx) -> Result<(), Error> {
    Ok(())
}

// --- PIN ------------------------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "pincode": "123456" }))]
pub struct EnablePinBody {
    /// Exactly 6 digits.
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    #[serde(deserialize_with = "secret_text")]
    pincode: SecretString,
    /// Needed once a method is set up.
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "newPincode": "654321",
    "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct UpdatePinBody {
    /// Exactly 6 digits.
    #[schema(value_type = String, pattern = "^[0-9]{6}$")]
    #[serde(deserialize_with = "secret_text")]
    new_pincode: SecretString,
    /// Needed once a method is set up.
    wallet_verification: Option<WalletVerification>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "walletVerification": { "secretVerificationCode": "123456", "verificationType": "PINCODE" } }))]
pub struct DisableBody {
    /// Needed once a method is set up.
    wallet_verification: Option<WalletVerification>,
}

/// Whether a new PIN would be refused, and what is done with it.
#[derive(Clone, Copy)]
struct PinChange(
    fn(&mut Tx<'_>, &Ctx, Shown) -> Result<(), Error>,
    fn(&mut Tx<'_>, &Ctx, &wallet::PinHash, Shown) -> Result<(), Error>,
);

/// A new PIN is hashed, on the bounded pool, once its code was good and nothing speaks against the change. Else nothing is
/// hashed, and the transaction spends the code and says why.
async fn put_pin(
    call: Call,
    body: Body,
    field: &'static str,
    pin: &SecretString,
    given: Option<&WalletVerification>,
    PinChange(may, put): PinChange,
) -> Result<HttpResponse, DalpError> {
    let mut issues = Issues::default();
    let pin = issues.take(field, Pin::parse(pin.expose_secret()));
    let code = WalletVerification::take_given(given, &mut issues);
    issues.finish()?;
    let pin = pin.ok_or_else(|| Error::internal("a PIN without an issue is there"))?;
    let step_up = StepUp::of(&call, code).await?;
    let shown = step_up.shown;
    let veiled = body.veil(call.app.vault(), &[field]);
    let hash = async || -> Result<Option<wallet::PinHash>, DalpError> {
        if call.read(move |tx, ctx| Ok(may(tx, ctx, shown).is_err())).await? {
            return Ok(None);
        }
        let hash = call.app.verifier().hash_pin(call.ctx.actor.user, pin.clone());
        Ok(Some(hash.await?))
    };
    let steps = Steps {
        allowed: anybody,
        locks: no_locks,
        prepare: hash,
        change: move |tx: &mut Tx<'_>, ctx: &Ctx, hash: Option<wallet::PinHash>| {
            let Some(hash) = hash else {
                may(tx, ctx, shown)?;
                return Err(Error::Unavailable("the methods changed meanwhile"));
            };
            put(tx, ctx, &hash, shown)?;
            MethodsObject::answer(tx, ctx)
        },
    };
    call.mutate_in_steps(&veiled, step_up.terms(), steps).await
}

/// Set the first PIN.
///
/// With the API key alone as long as no method is set up; later with `walletVerification`.
#[utoipa::path(tag = "Wallet verification", operation_id = "pincodeEnable", request_body = EnablePinBody,
    responses((status = 200, description = "The PIN is set", body = MethodsObject)))]
#[post("/auth/pincode/enable")]
pub async fn pincode_enable(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let EnablePinBody {
        pincode,
        wallet_verification,
    } = body.parse()?;
    put_pin(
        call,
        body,
        "pincode",
        &pincode,
        wallet_verification.as_ref(),
        PinChange(wallet::may_enable_pin, wallet::enable_pin),
    )
    .await
}

/// Change the PIN.
#[utoipa::path(tag = "Wallet verification", operation_id = "pincodeUpdate", request_body = UpdatePinBody,
    responses((status = 200, description = "The PIN is changed; its lock is gone", body = MethodsObject)))]
#[post("/auth/pincode/update")]
pub async fn pincode_update(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let UpdatePinBody {
        new_pincode,
        wallet_verification,
    } = body.parse()?;
    put_pin(
        call,
        body,
        "newPincode",
        &new_pincode,
        wallet_verification.as_ref(),
        PinChange(wallet::may_change_pin, wallet::change_pin),
    )
    .await
}

/// Remove the PIN.
#[utoipa::path(tag = "Wallet verification", operation_id = "pincodeDisable", request_body = DisableBody,
    responses((status = 200, description = "The PIN is gone", body = MethodsObject)))]
#[post("/auth/pincode/disable")]
pub async fn pincode_disable(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    disable(call, body, Method::Pincode).await
}

async fn disable(call: Call, body: Body, method: Method) -> Result<HttpResponse, DalpError> {
    let parsed: DisableBody = body.parse()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take_given(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let step_up = StepUp::of(&call, code).await?;
    let shown = step_up.shown;
    call.mutate(&body, step_up.terms(), anybody, move |tx, ctx| {
        wallet::remove(tx, ctx, method, shown)?;
        MethodsObject::answer(tx, ctx)
    })
    .await
}

// --- one-time password ----------------------------------------------------------------------------------------------

#[derive(Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "issuer": "Acme Bank", "algorithm": "SHA1" }))]
pub struct EnableOtpBody {
    /// The name that the authenticator app shows: 1 to 64 characters without a colon.
    issuer: Option<String>,
    /// `SHA1` (the default, what authenticator apps expect) or `SHA256`.
    algorithm: Option<String>,
    /// Needed once a method is set up.
    wallet_verification: Option<WalletVerification>,
}

/// What an authenticator app needs; shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrolmentObject<'a> {
    #[serde(rename = "totpURI")]
    #[schema(example = "otpauth://totp/Acme:0x5aAe…?secret=JBSWY3DPEHPK3PXP&issuer=Acme")]
    totp_uri: &'a str,
    /// For typing it in: base32.
    #[schema(example = "JBSWY3DPEHPK3PXP")]
    secret: &'a str,
    /// The URI as an image: a `data:` URL with a PNG.
    #[schema(example = "data:image/png;base64,iVBORw0KGgo…")]
    qr_code: String,
    #[schema(example = "SHA1")]
    algorithm: &'static str,
    #[schema(example = 6)]
    digits: u8,
    /// Seconds.
    #[schema(example = 30)]
    period: u64,
}

#[derive(Serialize)]
struct Begun {
    algorithm: &'static str,
}

/// Begin to set up one-time passwords.
///
/// They count once `/api/auth/two-factor/verify-totp` was given a good code. Called again before that, it begins anew.
#[utoipa::path(tag = "Wallet verification", operation_id = "twoFactorEnable", request_body = EnableOtpBody,
    responses((status = 200, description = "The secret, shown once", body = EnrolmentObject)))]
#[post("/auth/two-factor/enable")]
pub async fn otp_enable(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: EnableOtpBody = body.parse()?;
    let mut issues = Issues::default();
    let algorithm = parsed.algorithm.as_deref().map(Algorithm::parse).transpose();
    let algorithm = issues.take("algorithm", algorithm).flatten().unwrap_or_default();
    let code = WalletVerification::take_given(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let issuer = parsed.issuer.as_deref().unwrap_or(Enrolment::ISSUER_DEFAULT);
    let enrolment = Enrolment::generate(issuer, &call.ctx.actor.wallet, algorithm)?;
    let enrolment = std::sync::Arc::new(enrolment);
    let step_up = StepUp::of(&call, code).await?;
    let (shown, vault) = (step_up.shown, std::sync::Arc::clone(call.app.vault()));
    call.mutate(&body, step_up.terms(), anybody, move |tx, ctx| {
        wallet::begin_otp(tx, &vault, ctx, &enrolment, shown)?;
        let algorithm = enrolment.algorithm.as_str();
        let object = EnrolmentObject {
            totp_uri: enrolment.uri.expose_secret(),
            secret: enrolment.secret.expose_secret(),
            qr_code: format!("data:image/png;base64,{}", enrolment.qr_png_base64.expose_secret()),
            algorithm,
            digits: Enrolment::DIGITS,
            period: Enrolment::STEP_SECONDS,
        };
        Answer::ok(&object)?.reveals_once(&Begun { algorithm })
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[schema(example = json!({ "code": "123456" }))]
pub struct VerifyOtpBody {
    /// What the authenticator app shows now.
    #[schema(value_type = String)]
    #[serde(deserialize_with = "secret_text")]
    code: SecretString,
}

/// End the set-up of one-time passwords with a first good code.
///
/// The code is used up. Wrong codes count towards the lock.
#[utoipa::path(tag = "Wallet verification", operation_id = "twoFactorVerifyTotp", request_body = VerifyOtpBody,
    responses((status = 200, description = "One-time passwords are set up", body = MethodsObject)))]
#[post("/auth/two-factor/verify-totp")]
pub async fn otp_verify(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let VerifyOtpBody { code } = body.parse()?;
    let first = match call
        .app
        .verifier()
        .prove_enrolment(call.app.db(), &call.ctx, &code)
        .await
    {
        Ok(first) => Some(first),
        // Confirmed already: the first answer under this idempotency key, or else the conflict.
        Err(Error::Conflict(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let veiled = body.veil(call.app.vault(), &["code"]);
    call.mutate(&veiled, Terms::default(), anybody, move |tx, ctx| {
        confirm_otp(tx, ctx, first.as_ref())?;
        MethodsObject::answer(tx, ctx)
    })
    .await
}

fn confirm_otp(tx: &mut Tx<'_>, ctx: &Ctx, first: Option<&Proof>) -> Result<(), Error> {
    let first = first.ok_or_else(|| Error::Conflict("OTP is confirmed already".to_owned()))?;
    wallet::confirm_otp(tx, ctx, first)
}

/// Remove one-time passwords.
#[utoipa::path(tag = "Wallet verification", operation_id = "twoFactorDisable", request_body = DisableBody,
    responses((status = 200, description = "One-time passwords are gone", body = MethodsObject)))]
#[post("/auth/two-factor/disable")]
pub async fn otp_disable(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    disable(call, body, Method::Otp).await
}

// --- secret codes ---------------------------------------------------------------------------------------------------

/// A set of codes for one use each; shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "secretCodes": ["K7M2Q-9XW4T"] }))]
pub struct SecretCodesObject<'a> {
    /// Sixteen; they are taken with or without the hyphen.
    secret_codes: Vec<&'a str>,
}

#[derive(Serialize)]
struct Generated {
    count: usize,
}

/// Make a new set of secret codes.
///
/// They count once `/api/auth/secret-codes/confirm` says that they are stored; the set before them counts until then.
#[utoipa::path(tag = "Wallet verification", operation_id = "secretCodesGenerate", request_body = DisableBody,
    responses((status = 200, description = "The codes, shown once", body = SecretCodesObject)))]
#[post("/auth/secret-codes/generate")]
pub async fn codes_generate(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let parsed: DisableBody = body.parse()?;
    let mut issues = Issues::default();
    let code = WalletVerification::take_given(parsed.wallet_verification.as_ref(), &mut issues);
    issues.finish()?;
    let set = std::sync::Arc::new(SecretCodes::generate()?);
    let step_up = StepUp::of(&call, code).await?;
    let (shown, vault) = (step_up.shown, std::sync::Arc::clone(call.app.vault()));
    call.mutate(&body, step_up.terms(), anybody, move |tx, ctx| {
        wallet::put_codes(tx, &vault, ctx, &set, shown)?;
        let secret_codes: Vec<&str> = set.as_slice().iter().map(|code| code.expose_secret()).collect();
        let generated = Generated {
            count: secret_codes.len(),
        };
        Answer::ok(&SecretCodesObject { secret_codes })?.reveals_once(&generated)
    })
    .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[schema(example = json!({ "stored": true }))]
pub struct ConfirmCodesBody {
    /// Whether the codes are stored. With `false` nothing changes.
    stored: bool,
}

/// Say that the secret codes are stored: from then on they count, and those of the set before do not.
#[utoipa::path(tag = "Wallet verification", operation_id = "secretCodesConfirm", request_body = ConfirmCodesBody,
    responses((status = 200, description = "With `true`: the codes count", body = MethodsObject)))]
#[post("/auth/secret-codes/confirm")]
pub async fn codes_confirm(call: Call, body: Body) -> Result<HttpResponse, DalpError> {
    let ConfirmCodesBody { stored } = body.parse()?;
    call.mutate(&body, Terms::default(), anybody, move |tx, ctx| {
        if stored {
            wallet::confirm_codes(tx, ctx)?;
        }
        MethodsObject::answer(tx, ctx)
    })
    .await
}
