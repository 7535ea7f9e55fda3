//! The OpenAPI 3.1 document, generated from the registry: what guards an endpoint is documented
//! with it and cannot be forgotten. Committed as `doc/api/openapi.json`.

use serde_json::json;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Required, Response, ResponseBuilder, ResponsesBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::authentication::cookie;
use crate::endpoint::{Authentication, Endpoint, RateClass};
use crate::problem;

/// The document of these endpoints, as pretty JSON with a final newline.
pub fn render(endpoints: &[Endpoint]) -> anyhow::Result<String> {
    let mut text = serde_json::to_string_pretty(&document(endpoints))?;
    text.push('\n');
    Ok(text)
}

fn document(endpoints: &[Endpoint]) -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas = vec![(
        problem::Document::name().into_owned(),
        problem::Document::schema(),
    )];
    problem::Document::schemas(&mut schemas);
    for endpoint in endpoints {
        schemas.extend(endpoint.schemas.iter().cloned());
        paths.add_path_operation(
            &endpoint.path,
            vec![endpoint.http_method.clone()],
            described(endpoint),
        );
    }
    let bearer = |text: &str| {
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(text))
                .build(),
        )
    };
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            "api_key",
            bearer("An API key, berth_<public id>_<secret><checksum>"),
        )
        .security_scheme(
            "access_token",
            bearer("An access token (RFC 9068) of the configured OpenID provider"),
        )
        .security_scheme(
            "browser_session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                cookie::SESSION,
                "The cookie that logging in at /auth/login sets; changes only from our own pages",
            ))),
        )
        .security_scheme("internal_token", bearer("INTERNAL_JWKS_REFRESH_TOKEN"))
        .security_scheme(
            "webhook_signature",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "webhook-signature",
                "HMAC-SHA-256 with BERTH_PAYMENTS_WEBHOOK_SECRET, as Standard Webhooks has it",
            ))),
        );
    let info = InfoBuilder::new()
        .title("Berth")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("A GPU-cloud control plane."))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// The operation with what the pipeline adds to it.
fn described(endpoint: &Endpoint) -> Operation {
    let mut operation = endpoint.operation.clone();
    let guard = &endpoint.guard;
    operation.operation_id = Some(operation_id(endpoint));
    operation.tags = Some(vec![tag(&endpoint.path).to_owned()]);
    let mut parameters = operation.parameters.take().unwrap_or_default();
    if guard.idempotency.is_required() {
        parameters.push(header("Idempotency-Key", "Names this change: a repetition is answered, not repeated. 1 to 255 visible ASCII characters."));
    }
    if endpoint.method == "PATCH" {
        parameters.push(header(
            "If-Match",
            "The ETag of the version that the change was decided on.",
        ));
    }
    operation.parameters = (!parameters.is_empty()).then_some(parameters);
    operation.security = Some(match guard.authentication {
        Authentication::Public => Vec::new(),
        Authentication::Principal
        | Authentication::Person
        | Authentication::PrincipalOrOperator
        | Authentication::PlatformFinance
        | Authentication::PlatformOperator => ["api_key", "access_token", "browser_session"]
            .map(|name| SecurityRequirement::new(name, Vec::<String>::new()))
            .to_vec(),
        Authentication::Session => vec![SecurityRequirement::new(
            "browser_session",
            Vec::<String>::new(),
        )],
        Authentication::PaymentProvider => vec![SecurityRequirement::new(
            "webhook_signature",
            Vec::<String>::new(),
        )],
        Authentication::InternalToken => {
            vec![SecurityRequirement::new(
                "internal_token",
                Vec::<String>::new(),
            )]
        }
    });
    let responses = ResponsesBuilder::from(std::mem::take(&mut operation.responses));
    let responses = responses.response("default", failure());
    operation.responses = match guard.rate {
        RateClass::Platform => responses,
        _ => responses.response("429", limited()),
    }
    .build();
    let rate: &'static str = guard.rate.into();
    // One member: the order of several would change from run to run.
    let guarded_by = json!({
        "action": &*endpoint.ask.name,
        "platform_finance": guard.authentication == Authentication::PlatformFinance,
        "platform_operator": guard.authentication == Authentication::PlatformOperator,
        "rate_class": rate,
    });
    operation.extensions = Some(Extensions::builder().add("x-berth", guarded_by).build());
    operation
}

/// `post /api/v1/allocations/{id}:extend` is `post_allocations_id_extend`.
fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/api/v1");
    let words: Vec<&str> = path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    format!(
        "{}_{}",
        endpoint.method.as_str().to_lowercase(),
        words.join("_")
    )
}

/// The first noun of the path.
fn tag(path: &str) -> &str {
    let rest = path.strip_prefix("/api/v1/");
    let noun = rest.and_then(|rest| rest.split(['/', ':']).next());
    noun.unwrap_or("platform")
}

fn header(name: &str, text: &str) -> RefOr<Parameter> {
    RefOr::T(
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(text))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build(),
    )
}

/// The caller has to wait. Answers of other statuses carry the first two headers as well.
fn limited() -> Response {
    let header = |kind, text| {
        HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(kind)))
            .description(Some(text))
            .build()
    };
    let fields = [
        (
            "RateLimit-Policy",
            header(
                Type::String,
                "Limits: `q` calls at once, which come back in `w` seconds.",
            ),
        ),
        (
            "RateLimit",
            header(
                Type::String,
                "`r` calls are left; in `t` seconds there is one more.",
            ),
        ),
        (
            "Retry-After",
            header(
                Type::Integer,
                "Seconds after which the call is worth trying again.",
            ),
        ),
    ];
    let described = problem_answer("Too many calls; `violated_policies` says which limits");
    fields
        .into_iter()
        .fold(described, |answer, (name, header)| {
            answer.header(name, header)
        })
        .build()
}

/// Every failure of every endpoint has this shape.
fn failure() -> Response {
    problem_answer("A problem; `code` says which").build()
}

fn problem_answer(description: &str) -> ResponseBuilder {
    let request_id = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some("Names the request in logs and in the audit log."));
    ResponseBuilder::new()
        .description(description)
        .header("X-Request-Id", request_id.build())
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(problem::Document::name())))
                .build(),
        )
}

#[cfg(test)]
mod tests;
