//! Reads whatever is given as a document of rules. It must not panic; and what is read without a fault is
//! the same again when it is written and read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stationmaster_policy::{Document, Rules};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let Ok(document) = Document::from_toml(&text) else {
        return;
    };
    Rules::compile(&document).expect("what has no fault can be made ready");
    let again = Document::from_toml(&document.to_toml()).expect("what is written can be read");
    assert_eq!(again, document);
});
