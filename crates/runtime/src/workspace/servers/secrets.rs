//! Values of the daemon's environment that `mcp.json` gives to a server.

use std::fmt;

use super::super::skills::Machine;

/// Shorter values are in every other word; to hide them would tell them.
const SHORTEST: usize = 6;

/// What a server was told of our environment, to be kept out of what is told of the server.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// `value` with a variable's value for each `${NAME}`, which is a secret from here on.
    pub(super) fn fill_in(&mut self, value: &str, machine: &Machine) -> Result<String, String> {
        let (mut filled, mut rest) = (String::new(), value);
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) = after.split_once('}').ok_or("a ${ has no } behind it")?;
            let known = machine.variable(name);
            let known = known.ok_or_else(|| format!("needs the environment variable {name}"))?;
            filled.push_str(before);
            filled.push_str(known);
            self.0.push(known.to_owned());
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    pub(super) fn hidden_in(&self, said: &str) -> String {
        let long = self.0.iter().filter(|it| it.len() >= SHORTEST);
        long.fold(said.to_owned(), |said, secret| said.replace(secret, "***"))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.len()).finish()
    }
}
