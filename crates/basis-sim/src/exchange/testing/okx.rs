//! OKX's own names and codes, as its folder has them: the exchange is tested with those it runs with.

#[path = "../../../../basis-venues/src/okx/errors.rs"]
mod errors;
#[path = "../../../../basis-venues/src/okx/simulated.rs"]
mod simulated;

pub(crate) use self::simulated::PROFILE;
