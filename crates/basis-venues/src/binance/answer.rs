//! What an answer says of the request: done, refused, or nothing certain.
//!
//! An order is refused only by a positive word: a code that the table lists as not accepted. HTTP 408 and
//! 5xx, a limit status without a limit code, a body that is no answer of the venue and every code that is
//! not listed leave an order's outcome unknown. USD-M's 503 with -1008 is the one 5xx that is documented as
//! a certain failure.

use basis_core::transport::Response;
use basis_core::types::{Span, Timestamp};
use serde::Deserialize;

use super::codec::{Effect, Product};
use super::codes::{Class, classify};
use crate::wire::answer::{rejected, uncertain};
pub use crate::wire::{Failure, Success};

#[derive(Deserialize)]
struct Body {
    code: i64,
    #[serde(default)]
    msg: String,
}

/// Returns what `response` says of a request.
///
/// # Errors
/// [`Failure`] for everything but a success.
pub fn outcome(product: Product, effect: Effect, response: &Response) -> Result<Success, Failure> {
    let body = serde_json::from_slice::<Body>(&response.body).ok();
    let refused = body.filter(|body| body.code < 0);
    match (response.status, refused) {
        (200..=299, None) => Ok(Success::Answered),
        (status @ (408 | 500..=599), refused) => {
            let certain = status == 503
                && product == Product::UsdM
                && refused.as_ref().is_some_and(|body| body.code == -1008);
            if certain {
                let text = refused.map(|body| body.msg).unwrap_or_default();
                return Err(rejected(Class::Overloaded, -1008, &text));
            }
            let code = refused.as_ref().map(|body| body.code);
            let text = refused.as_ref().map_or("", |body| body.msg.as_str());
            Err(uncertain(effect, status, (code, text)))
        }
        // A success with a negative code is none that the venue documents.
        (status, Some(body)) => by_code(product, effect, (status, response), &body),
        (status, None) => Err(uncertain(effect, status, (None, ""))),
    }
}

fn by_code(
    product: Product,
    effect: Effect,
    (status, response): (u16, &Response),
    body: &Body,
) -> Result<Success, Failure> {
    let told = (Some(body.code), body.msg.as_str());
    let Some(class) = classify(product, body.code, &body.msg) else {
        return Err(uncertain(effect, status, told));
    };
    // Too busy is a certain failure with USD-M's 503 alone.
    if class == Class::Overloaded {
        return Err(uncertain(effect, status, told));
    }
    let retry_after = retry_after(response);
    let failure = Failure::by_class(class, effect, status, told, retry_after);
    failure.map_or(Ok(Success::AlreadySo), |failure| {
        Err(Failure {
            banned_until: banned_until(&body.msg),
            ..failure
        })
    })
}

/// The wait that the venue asks for, in whole seconds.
fn retry_after(response: &Response) -> Option<Span> {
    let mut headers = response.headers.iter();
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let seconds: u32 = value.trim().parse().ok()?;
    Some(Span::from_seconds(i64::from(seconds)))
}

/// The end of a ban as -1003 names it: `… banned until 1573201697068. …`.
fn banned_until(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once("until ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let millis: i64 = digits.parse().ok()?;
    (digits.len() == 13).then_some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use basis_core::error::VenueErrorKind;

    use super::super::codes::Action;
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            headers: vec![("retry-after".to_owned(), "7".to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }

    fn failure(product: Product, effect: Effect, status: u16, body: &str) -> Failure {
        outcome(product, effect, &response(status, body)).unwrap_err()
    }

    fn coded(product: Product, code: i64, text: &str) -> Result<Success, Failure> {
        let body = format!(r#"{{"code":{code},"msg":"{text}"}}"#);
        outcome(product, Effect::Act, &response(400, &body))
    }

    #[test]
    fn a_code_that_is_not_listed_leaves_an_order_unknown_and_a_read_free() {
        for code in [-1999, -4999, -9999, -1] {
            let e = coded(Product::Spot, code, "New rule.").unwrap_err();
            assert!(
                matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
                "{code}: {e:?}"
            );
            assert_eq!(e.class.action(), Action::Query);
        }
        let body = r#"{"code":-1999,"msg":"x"}"#;
        let e = failure(Product::Spot, Effect::Read, 400, body);
        assert!(matches!(e.kind, VenueErrorKind::Unavailable(_)));
    }

    #[test]
    fn statuses_without_a_positive_word_prove_nothing() {
        let html = "<html><body>502 Bad Gateway</body></html>";
        for status in [403, 404, 408, 418, 429, 500, 502, 503, 504] {
            for product in [Product::Spot, Product::UsdM, Product::Wallet] {
                for body in [html, "", "{}", r#"{"code":0,"msg":"Service Unavailable."}"#] {
                    let e = failure(product, Effect::Act, status, body);
                    assert!(
                        matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
                        "{status} {body}"
                    );
                }
            }
        }
        for code in [-1000, -1001, -1006, -1007] {
            let body = format!(
                r#"{{"code":{code},"msg":"Timeout waiting for response from backend server."}}"#
            );
            for status in [400, 500, 503] {
                let e = failure(Product::Spot, Effect::Act, status, &body);
                assert!(
                    matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)),
                    "{status} {code}"
                );
            }
        }
        // A limit status with a code of something else stays what the code says.
        let e = failure(
            Product::Spot,
            Effect::Act,
            429,
            r#"{"code":-1007,"msg":"x"}"#,
        );
        assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)));
    }

    #[test]
    fn only_usdm_says_with_503_that_it_took_nothing() {
        let body = r#"{"code":-1008,"msg":"Request throttled by system-level protection."}"#;
        let e = failure(Product::UsdM, Effect::Act, 503, body);
        assert!(matches!(e.kind, VenueErrorKind::Rejected { .. }), "{e:?}");
        assert_eq!(e.class.action(), Action::BackOff);
        for (product, status) in [(Product::Spot, 503), (Product::UsdM, 500)] {
            let e = failure(product, Effect::Act, status, body);
            assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)), "{e:?}");
        }
    }

    #[test]
    fn limits_say_how_long_to_wait() {
        let text = "Way too many requests; IP banned until 1573201697068. Use the websocket.";
        let body = format!(r#"{{"code":-1003,"msg":"{text}"}}"#);
        for status in [418, 429] {
            let e = failure(Product::UsdM, Effect::Act, status, &body);
            let wanted = VenueErrorKind::RateLimited {
                retry_after: Some(Span::from_seconds(7)),
            };
            assert_eq!(e.kind, wanted);
            assert_eq!(
                e.banned_until,
                Some(Timestamp::from_millis(1_573_201_697_068))
            );
        }
        let e = coded(Product::UsdM, -1015, "Too many new orders.").unwrap_err();
        assert!(matches!(e.kind, VenueErrorKind::RateLimited { .. }));
    }

    #[test]
    fn one_number_may_mean_two_things() {
        let class = |product, code, text| coded(product, code, text).unwrap_err().class;
        assert_eq!(class(Product::Spot, -2021, ""), Class::HalfDone);
        assert_eq!(class(Product::UsdM, -2021, ""), Class::Refused);
        assert_eq!(class(Product::Spot, -2022, ""), Class::OrderGone);
        assert_eq!(class(Product::UsdM, -2022, ""), Class::Refused);
        let texts = [
            (
                "Account has insufficient balance for requested action.",
                Class::Funds,
            ),
            ("Duplicate order sent.", Class::Duplicate),
            ("Order would immediately match and take.", Class::Refused),
            ("Market is closed.", Class::Restricted),
            ("Something else.", Class::Refused),
        ];
        for (text, wanted) in texts {
            assert_eq!(class(Product::Spot, -2010, text), wanted, "{text}");
        }
    }

    #[test]
    fn a_duplicate_id_says_that_some_order_bears_it_and_is_no_refusal() {
        for (product, code, text) in [
            (Product::Spot, -2010, "Duplicate order sent."),
            (Product::UsdM, -4116, "ClientOrderId is duplicated."),
        ] {
            let e = coded(product, code, text).unwrap_err();
            assert!(matches!(e.kind, VenueErrorKind::OutcomeUnknown(_)), "{e:?}");
        }
    }

    #[test]
    fn settings_that_are_so_already_are_done() {
        for code in [-4046, -4059, -4171, -5027] {
            assert_eq!(
                coded(Product::UsdM, code, "No need to change."),
                Ok(Success::AlreadySo)
            );
        }
        let plain = response(200, r#"{"code":200,"msg":"success"}"#);
        assert_eq!(
            outcome(Product::UsdM, Effect::Act, &plain),
            Ok(Success::Answered)
        );
        assert_eq!(
            outcome(Product::UsdM, Effect::Read, &response(200, "[]")),
            Ok(Success::Answered)
        );
    }

    /// Every code of the project's fact sheet on exchanges, section 2.12, with the class it gives.
    #[test]
    fn every_listed_code_has_its_class() {
        use Class::{
            Archived, Blocked, Clock, Credentials, Filter, Funds, Limit, Liquidation, ListenKey,
            OrderGone, PositionLimit, PositionMode, Refused, Restricted, TooManyOrders, Unknown,
        };
        let rows: &[(Class, &[i64])] = &[
            (Unknown, &[-1000, -1001, -1006, -1007, -1008]),
            (Limit, &[-1003, -1015]),
            (Clock, &[-1021, -5028]),
            (Credentials, &[-1022, -2014, -2015, -1002]),
            (ListenKey, &[-1125]),
            (
                Filter,
                &[
                    -1013, -1100, -1102, -1106, -1111, -1121, -1136, -4003, -4016, -4024, -4028,
                ],
            ),
            (Filter, &[-4164, -4114, -4115, -4120, -5047]),
            (OrderGone, &[-2011, -2013]),
            (Archived, &[-2026]),
            (Funds, &[-2018, -2019, -2024, -4050, -4051, -4109]),
            (PositionLimit, &[-2027, -2028]),
            (Liquidation, &[-2023]),
            (TooManyOrders, &[-2025]),
            (
                Blocked,
                &[
                    -4047, -4048, -4067, -4068, -4161, -4167, -4168, -4169, -4170, -4172, -4531,
                ],
            ),
            (PositionMode, &[-4061]),
            (Refused, &[-4118, -5021, -5022, -4131]),
            (Restricted, &[-4400, -4401, -4087, -4088]),
        ];
        for (class, codes) in rows {
            for code in *codes {
                let e = coded(Product::UsdM, *code, "text").unwrap_err();
                assert_eq!(e.class, *class, "{code}");
                let refused = matches!(e.kind, VenueErrorKind::Rejected { .. });
                let is_clear = !matches!(class, Unknown | Limit | Credentials);
                assert_eq!(refused, is_clear, "{code}: {e:?}");
            }
        }
    }
}
