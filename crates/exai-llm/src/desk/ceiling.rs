//! How much a model may write. There always is a ceiling, because without one a request has no
//! price that could be known before it is sent; where the caller named none, thoughts need more
//! room than words, and hard thinking more than easy.

use crate::{
    catalogue::Model,
    chat::{ChatRequest, DEFAULT_MAX_OUTPUT, Effort},
    price::Size,
};

/// The ceiling of a request to this model, which reads so many tokens there.
pub(super) fn of(request: &ChatRequest, model: &Model, context: Option<u64>) -> u64 {
    let wished = match request.max_output {
        0 => unsaid(request, model, context),
        said => said,
    };
    wished.min(model.traits.output.unwrap_or(u64::MAX)).max(1)
}

fn unsaid(request: &ChatRequest, model: &Model, context: Option<u64>) -> u64 {
    let thinks = model.traits.thinking == Some(true) && request.effort != Some(Effort::Off);
    let room = match request.effort {
        _ if !thinks => DEFAULT_MAX_OUTPUT,
        Some(Effort::High | Effort::Max) => DEFAULT_MAX_OUTPUT * 4,
        _ => DEFAULT_MAX_OUTPUT * 2,
    };
    // Of a small context the question needs its part first.
    let input = Size::of(request).text.ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of tokens, never negative"
    )]
    let left = context.map(|all| all.saturating_sub(input as u64 * 3 / 2));
    room.min(left.unwrap_or(u64::MAX).max(256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, ModelTraits};

    fn model(thinking: Option<bool>, output: Option<u64>) -> Model {
        Model {
            traits: ModelTraits {
                thinking,
                output,
                ..ModelTraits::default()
            },
            ..Model::default()
        }
    }

    fn request(effort: Option<Effort>, max_output: u64) -> ChatRequest {
        ChatRequest {
            messages: vec![Message::user("x".repeat(4000))],
            effort,
            max_output,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn thoughts_need_more_room_than_words_and_what_is_said_counts() {
        for (thinking, effort, said, output, context, expected) in [
            (None, None, 0, None, None, 8192),
            (Some(true), None, 0, None, None, 16_384),
            (Some(true), Some(Effort::High), 0, None, None, 32_768),
            (Some(true), Some(Effort::Off), 0, None, None, 8192),
            (Some(false), Some(Effort::High), 0, None, None, 8192),
            (Some(true), Some(Effort::Max), 0, Some(4000), None, 4000),
            (Some(true), None, 77, None, None, 77),
            (None, None, 0, None, Some(8000), 6494),
            (None, None, 0, None, Some(1000), 256),
        ] {
            let request = request(effort, said);
            let got = of(&request, &model(thinking, output), context);
            assert_eq!(
                got, expected,
                "{thinking:?} {effort:?} {said} {output:?} {context:?}"
            );
        }
    }
}
