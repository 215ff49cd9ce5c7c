//! Pictures for a model to look at: files, told by their first bytes and not by their names,
//! `data:` addresses, and `https:` addresses that the provider fetches itself.

use super::{Entry, Fate, MOST_PICTURES, base64, plain, roots::Places};
use exai_engine::ports::models::Image;

/// What every provider takes of one picture.
const MOST_BYTES: u64 = 5 * 1024 * 1024;
/// Of all pictures of one call, so that a request stays one.
const MOST_TOGETHER: u64 = 20 * 1024 * 1024;
/// Longest address.
const MOST_ADDRESS: usize = 4096;

/// All pictures; an entry for each.
pub(super) fn gather(places: &Places, asked: &[String], entries: &mut Vec<Entry>) -> Vec<Image> {
    let mut images = Vec::new();
    let mut room = MOST_TOGETHER;
    for (at, asked) in asked.iter().enumerate() {
        let (name, read) = if at < MOST_PICTURES {
            one(places, asked, MOST_BYTES.min(room))
        } else {
            let why = format!("at most {MOST_PICTURES} pictures go into one call");
            (shown(asked), Err(why))
        };
        let fate = match read {
            Err(why) => Fate::Refused(why),
            Ok(image) => {
                let what = match &image {
                    Image::Inline { media_type, base64 } => {
                        let bytes = base64.len() as u64 / 4 * 3;
                        room = room.saturating_sub(bytes);
                        format!("{media_type}, {} kB", bytes.div_ceil(1000))
                    }
                    Image::Url(_) => "fetched by the provider".to_owned(),
                };
                images.push(image);
                Fate::Picture(what)
            }
        };
        entries.push(Entry::new(name, fate));
    }
    images
}

fn one(places: &Places, asked: &str, most: u64) -> (String, Result<Image, String>) {
    if let Some(data) = asked.strip_prefix("data:") {
        return (shown(asked), inline(data, most));
    }
    if asked.starts_with("https://") {
        let fits = asked.len() <= MOST_ADDRESS && !asked.contains(char::is_whitespace);
        let image = fits
            .then(|| Image::Url(asked.to_owned()))
            .ok_or_else(|| "its address cannot be used".to_owned());
        return (shown(asked), image);
    }
    if asked.starts_with("http://") {
        let why = "providers fetch pictures over https: only".to_owned();
        return (shown(asked), Err(why));
    }
    match places.find(asked) {
        Err(why) => (plain(asked), Err(why)),
        Ok(found) => {
            let image = found.read(most).and_then(|bytes| {
                let media_type = kind_of(&bytes).ok_or_else(no_picture)?.to_owned();
                let base64 = base64::encode(&bytes);
                Ok(Image::Inline { media_type, base64 })
            });
            (found.name.clone(), image)
        }
    }
}

/// `image/png;base64,…`; what it says it is must be what it is.
fn inline(data: &str, most: u64) -> Result<Image, String> {
    let (head, body) = data.split_once(',').ok_or_else(no_picture)?;
    let Some(said) = head.strip_suffix(";base64") else {
        return Err("a data: address of a picture must be in base64".to_owned());
    };
    if body.len() as u64 / 4 * 3 > most {
        return Err(format!("it has more than the {most} bytes that are sent"));
    }
    let bytes = base64::beginning(body, 16).ok_or("its base64 cannot be read")?;
    let kind = kind_of(&bytes).ok_or_else(no_picture)?;
    if !said.is_empty() && said != kind && !(said == "image/jpg" && kind == "image/jpeg") {
        return Err(format!("it says it is {}, and is {kind}", plain(said)));
    }
    Ok(Image::Inline {
        media_type: kind.to_owned(),
        base64: body.to_owned(),
    })
}

fn no_picture() -> String {
    "it is no picture a model can see (png, jpeg, gif or webp)".to_owned()
}

/// What these bytes begin.
pub(super) fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some("image/gif")
    } else if webp {
        Some("image/webp")
    } else {
        None
    }
}

/// Data is no name, and an address may hold a password or a token after its path.
fn shown(asked: &str) -> String {
    if let Some(data) = asked.strip_prefix("data:") {
        return plain(&format!(
            "data:{}",
            data.split([';', ',']).next().unwrap_or("")
        ));
    }
    let address = asked.split(['?', '#']).next().unwrap_or(asked);
    match address.split_once("://").and_then(|(scheme, rest)| {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (_, host) = host.rsplit_once('@')?;
        Some(format!("{scheme}://{host}/{path}"))
    }) {
        Some(without) => plain(&without),
        None => plain(address),
    }
}
