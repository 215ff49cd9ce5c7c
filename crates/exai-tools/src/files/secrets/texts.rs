//! Secrets told by what they look like: private keys, the tokens of well-known services, and
//! values that are assigned to a name that says "secret". Said with their line and kind, never
//! with a piece of themselves.

/// A service's tokens: how they begin, how long they are at least, whose they are.
const TOKENS: &[(&str, usize, &str)] = &[
    ("ghp_", 36, "a GitHub token"),
    ("gho_", 36, "a GitHub token"),
    ("ghu_", 36, "a GitHub token"),
    ("ghs_", 36, "a GitHub token"),
    ("ghr_", 36, "a GitHub token"),
    ("github_pat_", 40, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 24, "a Slack token"),
    ("xoxp-", 24, "a Slack token"),
    ("xoxa-", 24, "a Slack token"),
    ("xoxs-", 24, "a Slack token"),
    ("xapp-", 24, "a Slack token"),
    ("sk-ant-", 24, "an Anthropic key"),
    ("sk-or-", 24, "an OpenRouter key"),
    ("sk-proj-", 24, "an OpenAI key"),
    ("sk-", 40, "an API key"),
    ("sk_live_", 24, "a Stripe key"),
    ("rk_live_", 24, "a Stripe key"),
    ("whsec_", 32, "a webhook's secret"),
    ("AIza", 39, "a Google key"),
    ("ya29.", 30, "a Google token"),
    ("npm_", 40, "an npm token"),
    ("pypi-", 50, "a PyPI token"),
    ("hf_", 34, "a Hugging Face token"),
    ("dop_v1_", 64, "a DigitalOcean token"),
    ("shpat_", 32, "a Shopify token"),
    ("SG.", 60, "a SendGrid key"),
    ("AGE-SECRET-KEY-1", 40, "an age key"),
    ("gsk_", 40, "a Groq key"),
    ("xai-", 60, "an xAI key"),
];
/// Names whose values are secrets.
const NAMES: &[&str] = &[
    "api_key",
    "apikey",
    "access_key",
    "secret_key",
    "secret",
    "client_secret",
    "password",
    "passwd",
    "auth_token",
    "access_token",
    "private_key",
];
/// What stands where a secret would, for readers.
const PLACEHOLDERS: &[&str] = &[
    "your",
    "xxx",
    "changeme",
    "change_me",
    "placeholder",
    "dummy",
    "redacted",
    "****",
    "...",
];

/// The first line that holds a secret, counted from one, and what it seems to be.
pub(super) fn first(text: &str) -> Option<(usize, &'static str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.iter().enumerate().find_map(|(at, line)| {
        let kind = private_key(line, &lines[at + 1..])
            .or_else(|| token(line))
            .or_else(|| address(line))
            .or_else(|| assigned(line))?;
        Some((at + 1, kind))
    })
}

/// Its opening line, and then the key itself; both may stand in one string of a program.
fn private_key(line: &str, after: &[&str]) -> Option<&'static str> {
    let (_, rest) = line.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("PRIVATE KEY-----")?;
    let key = |line: &&str| {
        let mut words = line.split(|c: char| !is_base64(c));
        words.any(|word| word.len() >= 40)
    };
    let here = std::iter::once(&rest).chain(after.iter().take(6)).any(key);
    here.then_some("a private key")
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=".contains(c)
}

fn token(line: &str) -> Option<&'static str> {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    line.split(|c| !part(c)).find_map(|word| {
        let known = TOKENS.iter().find(|(begin, least, _)| {
            word.starts_with(begin) && word.len() >= *least && is_random(&word[begin.len()..])
        });
        let amazon = ["AKIA", "ASIA"].iter().any(|begin| {
            word.len() == 20
                && word.starts_with(begin)
                && word
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
                && variety(word) > 8
        });
        known
            .map(|(_, _, kind)| *kind)
            .or_else(|| amazon.then_some("an AWS key"))
            .or_else(|| is_signed(word).then_some("a signed token (JWT)"))
    })
}

/// Head, claims and signature, each in base64; whoever holds it is who it says.
fn is_signed(word: &str) -> bool {
    let mut parts = word.split('.');
    let (head, claims, signature) = (parts.next(), parts.next(), parts.next());
    let object = |part: Option<&str>| part.is_some_and(|part| part.starts_with("eyJ"));
    object(head)
        && object(claims)
        && signature.is_some_and(|part| part.len() >= 40 && variety(part) > 8)
}

/// `scheme://user:password@host`.
fn address(line: &str) -> Option<&'static str> {
    line.split("://").skip(1).find_map(|rest| {
        let end = rest.find(|c: char| c == '/' || c.is_whitespace() || "\"'`<>".contains(c));
        let (user, _) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
        let (_, password) = user.split_once(':')?;
        let real = password.len() >= 10 && is_random(password);
        real.then_some("an address with a password")
    })
}

/// `API_KEY = "…"`, `password: …`.
fn assigned(line: &str) -> Option<&'static str> {
    let at = line.find(['=', ':'])?;
    let (name, value) = (
        &line[..at],
        line[at + 1..].trim_start_matches(['=', ':', '>']),
    );
    let name = name.trim_end().trim_end_matches(['"', '\'', ']', ')']);
    let name = name.to_ascii_lowercase().replace('-', "_");
    if !NAMES.iter().any(|known| name.ends_with(known)) {
        return None;
    }
    let value = value.trim().trim_end_matches([',', ';']);
    let plain = value.trim_matches(['"', '\'', '`']);
    let quoted = plain.len() + 2 == value.len();
    let bare = value.len() == plain.len() && name.chars().all(|c| c != ' ' && c != '(');
    let of_one = plain
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+/=_-.!@#%^&*~".contains(c));
    let real = (quoted || bare) && of_one && plain.len() >= 16 && is_random(plain);
    real.then_some("a password or key")
}

/// Made by a machine: letters and digits of many kinds, and no word for readers.
fn is_random(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    digits >= 2
        && letters >= 4
        && variety(text) >= 8
        && !PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

fn variety(text: &str) -> usize {
    let mut seen = [false; 256];
    text.bytes().for_each(|byte| seen[usize::from(byte)] = true);
    seen.iter().filter(|seen| **seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together here, so that no scanner takes this file for a leak.
    fn token(begin: &str, length: usize) -> String {
        let noise = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
        let long = noise.repeat(4);
        format!("{begin}{}", &long[..length - begin.len()])
    }

    #[test]
    fn services_tokens_are_known_wherever_they_stand() {
        for (begin, least, kind) in TOKENS {
            let token = token(begin, *least);
            for line in [
                token.clone(),
                format!("  key: \"{token}\","),
                format!("curl -H 'Authorization: Bearer {token}' https://e.org"),
            ] {
                let (at, said) = first(&format!("one\n{line}\n")).expect(&line);
                assert_eq!((at, said.is_empty()), (2, false), "{kind}");
            }
            assert_eq!(first(&token[..begin.len() + 3]), None, "{begin}");
        }
        let amazon = format!("AKIA{}", "IOSFODNN7ABCDE12");
        assert_eq!(first(&amazon), Some((1, "an AWS key")));
        let (head, claims) = ("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0");
        let signed = format!("Authorization: Bearer {head}.{claims}.{}", token("", 43));
        assert_eq!(first(&signed), Some((1, "a signed token (JWT)")));
        assert_eq!(first(&format!("{head}.{claims}.short")), None);
    }

    #[test]
    fn values_of_secret_names_are_known() {
        let value = token("", 32);
        for line in [
            format!("API_KEY={value}"),
            format!("  \"client_secret\": \"{value}\","),
            format!("const password = '{value}';"),
            format!("aws_secret_access_key = {value}"),
            format!("url = postgres://me:{value}@db.example.org/x"),
        ] {
            assert!(first(&line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_programs_are_made_of_is_no_secret() {
        for line in [
            "let secret = keys.read(name)?;",
            "password: String,",
            "API_KEY=your-key-here-1234567890",
            "API_KEY=${OPENAI_API_KEY_2024_PRODUCTION}",
            "api_key = \"xxxxxxxxxxxxxxxxxxxxxxxx1\"",
            "fn private_key(line: &str) -> Option<&'static str> {",
            "postgres://user:password@localhost/db",
            "https://example.org/a:b@c",
            "commit: 9b22cd3a1f0b6a1d3f8de2c9f0a1b2c3d4e5f607",
            "sk-learn-contrib-is-a-name-of-a-package-and-it-is-long",
            "a line with -----BEGIN PRIVATE KEY----- in it",
            "if (access_token == config.expected_access_token_2) {",
        ] {
            assert_eq!(first(line), None, "{line}");
        }
        assert_eq!(first("-----BEGIN PRIVATE KEY-----\n(yours)\n"), None);
    }
}
