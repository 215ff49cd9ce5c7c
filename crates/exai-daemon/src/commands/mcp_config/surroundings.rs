//! What of our surroundings an entry must carry: a window is started without the environment of
//! the shell, so what only stands there would lead its shim to another daemon, or to none.

use super::next_step;
use crate::context::Context;
use exai_config::{
    Loaded, Source, Strings,
    keys::{self, Key, Reader},
    load,
};

/// They decide which files are read.
const PLACES: [&str; 2] = ["EXAI_CONFIG", "ENV_FILE"];
/// The settings by which a shim finds its daemon and decides how long to look for it.
const SECTIONS: [&str; 2] = ["network", "shim"];

/// Names and values beside the home's own. Never the token: these files are read by many.
pub(super) fn of(context: &Context, env: &dyn Strings) -> Vec<(String, String)> {
    let place = |name: &str| Some((name.to_owned(), env.get(name)?));
    let places = PLACES.into_iter().filter_map(place);
    let places = places.filter(|(_, value)| !value.is_empty());
    let without = without(context, env);
    let wanted = keys::all().filter(|key| {
        !key.env_only && key.reader != Reader::Daemon && SECTIONS.contains(&key.split().0)
    });
    let settings = wanted.filter_map(|key| {
        let (name, value) = given(context, env, key)?;
        let same = shown(&without, key) == shown(&context.loaded, key);
        (!same).then(|| (name, value.trim().to_owned()))
    });
    places.chain(settings).collect()
}

/// Says how a window gets the token where only this environment has it.
pub(super) fn about_the_token(context: &Context, env: &dyn Strings) {
    let ours = &context.loaded.settings.auth.token;
    if ours.is_none() || without(context, env).settings.auth.token == *ours {
        return;
    }
    let Some(origin) = context.loaded.origin("auth.token") else {
        return;
    };
    next_step(&format!(
        "the token of {} is not put into the entry; for windows to have it, put the line \
         EXAI_WS_TOKEN=… into {} (chmod 600), or unset it and run `exai-daemon restart`: then \
         both sides read the home's token file",
        origin.origin,
        context.home.env_file(env).display()
    ));
}

/// The name and the value as they were given by this environment or a flag.
fn given(context: &Context, env: &dyn Strings, key: &Key) -> Option<(String, String)> {
    match &context.loaded.origin(key.path)?.origin {
        Source::Env(name) => Some((name.clone(), env.get(name)?)),
        Source::Flag => {
            let mut flags = context.overrides.iter().rev();
            let (_, value) =
                flags.find(|(name, _)| keys::find(name).is_some_and(|k| k.path == key.path))?;
            Some((key.env.first()?.to_string(), value.clone()))
        }
        _ => None,
    }
}

fn shown<'l>(loaded: &'l Loaded, key: &Key) -> Option<&'l str> {
    Some(loaded.origin(key.path)?.value_shown.as_str())
}

/// The settings as a window has them that is given nothing but where the files are.
fn without(context: &Context, env: &dyn Strings) -> Loaded {
    let bare = Bare(env);
    load(&context.home, &bare, &[]).unwrap_or_else(|faults| *faults.rest)
}

/// An environment without settings.
struct Bare<'e>(&'e dyn Strings);

impl Strings for Bare<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|_| keys::find(name).is_none())
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.0.names();
        names.retain(|name| keys::find(name).is_none());
        names
    }
}
