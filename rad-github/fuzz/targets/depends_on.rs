//! The expressions that show and hide fields: read or refused, printed as written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rad_core::module::DependsOn;

fuzz_target!(|text: &str| {
    if let Ok(expression) = text.parse::<DependsOn>() {
        assert_eq!(expression.to_string(), text);
        let one_way = expression.holds(|_| None);
        assert_eq!(expression.holds(|_| None), one_way);
        expression.holds(|name| Some(name.into()));
    }
});
