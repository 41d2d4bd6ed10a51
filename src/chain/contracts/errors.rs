use std::sync::LazyLock;

use ethers_core::abi::ethabi::AbiError;

use super::bindings;

static ERRORS: LazyLock<Vec<AbiError>> = LazyLock::new(|| {
    let mut errors: Vec<AbiError> = Vec::new();
    for error in bindings::abis().into_iter().flat_map(|abi| abi.errors()) {
        if errors.iter().all(|known| known.signature() != error.signature()) {
            errors.push(error.clone());
        }
    }
    errors
});

/// The errors that our contracts can revert with, each once.
pub(in crate::chain) fn errors() -> &'static [AbiError] {
    &ERRORS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_several_contracts_have_is_there_once() {
        let named = |name: &str| errors().iter().filter(|error| error.name == name).count();

        assert_eq!(named("NotAgent"), 1);
        assert_eq!(named("RecipientNotVerified"), 1);
        // One with a line, one without.
        assert_eq!(named("LengthMismatch"), 2);
    }
}
