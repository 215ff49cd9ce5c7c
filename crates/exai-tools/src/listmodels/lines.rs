//! The compact list.

use exai_engine::ports::models::{EndpointRow, Listing, ModelRow, PriceRow};
use std::{collections::BTreeSet, fmt::Write as _};

/// Models told line by line; an aggregator has hundreds.
const LINES: usize = 60;
/// Names told of an endpoint that is not ready.
const NAMES: usize = 4;

/// Ready endpoints with their models; of the others what they lack. One endpoint asked for by
/// name shows its models, ready or not.
pub(super) fn compact(listing: &Listing, one: bool) -> String {
    let mut text = head(listing);
    let mut left = LINES;
    let mut told: BTreeSet<&str> = BTreeSet::new();
    // Models of local servers are few, so described ones go first only within an endpoint.
    for endpoint in listing.endpoints.iter().filter(|row| row.ready || one) {
        let all = of(listing, endpoint).count();
        let new = |row: &&ModelRow| !told.contains(row.id.as_str());
        let mut models: Vec<&ModelRow> = of(listing, endpoint).filter(new).collect();
        models.sort_by_key(|row| (!row.ready, !row.described));
        let _ = write!(text, "\n{}", heading(endpoint));
        for model in models.iter().take(left) {
            let _ = write!(text, "\n  {}", line(model));
        }
        let again = all - models.len();
        if again > 0 {
            let name = &endpoint.name;
            let _ = write!(text, "\n  and {again} listed above, as NAME@{name}");
        }
        if all == 0 {
            text.push_str("\n  its models are not known; fetch its list with `exai-daemon models refresh`, or name one as NAME@ENDPOINT");
        } else if models.len() > left {
            let more = models.len() - left;
            let _ = write!(
                text,
                "\n  and {more} more: endpoint={} full=true",
                endpoint.name
            );
        }
        left = left.saturating_sub(models.len());
        told.extend(models.iter().map(|row| row.id.as_str()));
    }
    if !one {
        others(&mut text, listing);
    }
    text
}

fn of<'a>(listing: &'a Listing, endpoint: &'a EndpointRow) -> impl Iterator<Item = &'a ModelRow> {
    let here = |row: &&ModelRow| row.endpoint == endpoint.name;
    listing.models.iter().filter(here)
}

fn head(listing: &Listing) -> String {
    let ready = listing.models.iter().filter(|row| row.ready).count();
    let places = listing.endpoints.iter().filter(|row| row.ready).count();
    if places == 0 {
        return format!("No model can be asked. {}", listing.advice.join(" "))
            .trim_end()
            .to_owned();
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "{ready} model{} ready at {places} endpoint{}. context | abilities | $ per million tokens in/out (? unknown)",
        plural(ready),
        plural(places)
    )
}

fn heading(row: &EndpointRow) -> String {
    let mut text = format!("{} ({})", row.name, row.title);
    if let Some(lacks) = &row.lacks {
        let _ = write!(text, ", not ready: {lacks}");
    }
    if row.breaker != "closed" && !row.breaker.is_empty() {
        let cause = row.breaker_cause.as_deref().unwrap_or("failures");
        let _ = write!(text, ", resting after {cause}");
    }
    text
}

fn line(row: &ModelRow) -> String {
    let mut name = row.id.clone();
    if !row.aliases.is_empty() {
        let _ = write!(name, " ({})", row.aliases.join(", "));
    }
    let context = row.context.map_or_else(|| "?".to_owned(), short);
    // Every model streams; what tells them apart is the rest.
    let told = row.abilities.iter().filter(|word| *word != "streaming");
    let mut abilities: Vec<&str> = told.map(String::as_str).collect();
    if row.abilities.is_empty() {
        abilities.push("?");
    }
    let price = row.price.as_ref().map_or_else(|| "?".to_owned(), price);
    let mut text = format!("{name} | {context} | {} | {price}", abilities.join(" "));
    if !row.ready {
        text.push_str(" | not ready");
    }
    text
}

fn short(tokens: u64) -> String {
    match tokens {
        0..10_000 => tokens.to_string(),
        10_000..1_000_000 => format!("{}k", tokens / 1000),
        _ => format!("{}M", tokens / 1_000_000),
    }
}

fn price(row: &PriceRow) -> String {
    let dollars =
        |amount: Option<f64>| amount.map_or_else(|| "?".to_owned(), |amount| format!("{amount}"));
    match (row.input, row.output) {
        (None, None) => "?".to_owned(),
        (input, output) => format!("{}/{}", dollars(input), dollars(output)),
    }
}

fn others(text: &mut String, listing: &Listing) {
    let waiting = listing.endpoints.iter().filter(|row| !row.ready);
    let mut first = true;
    for endpoint in waiting {
        if first {
            text.push_str("\nnot ready:");
            first = false;
        }
        let lacks = endpoint.lacks.as_deref().unwrap_or("not enabled");
        let _ = write!(text, "\n  {}: {lacks}", endpoint.name);
        let names: Vec<&str> = of(listing, endpoint)
            .map(|row| row.id.as_str())
            .take(NAMES)
            .collect();
        if !names.is_empty() {
            let more = if of(listing, endpoint).count() > NAMES {
                ", …"
            } else {
                ""
            };
            let _ = write!(text, " ({}{more})", names.join(", "));
        }
    }
}
