//! The templates, and their names.

use std::fmt;
use std::str::FromStr;

use hub::suggest;

/// Declares the templates with their names, which are those of their files.
macro_rules! templates {
    ($($variant:ident = $name:literal,)+) => {
        /// A template of a Space.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Template {
            $(#[doc = concat!("The template `", $name, "`.")] $variant,)+
        }

        impl Template {
            /// All templates, by name.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name as users write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

templates! {
    AudioClassification = "audio-classification",
    AutomaticSpeechRecognition = "automatic-speech-recognition",
    Chat = "chat",
    DepthEstimation = "depth-estimation",
    DiffusersLora = "diffusers-lora",
    DocumentQuestionAnswering = "document-question-answering",
    FillMask = "fill-mask",
    ImageClassification = "image-classification",
    ImageClassificationTimm = "image-classification-timm",
    ImageSegmentation = "image-segmentation",
    ImageTextToText = "image-text-to-text",
    ImageToImage = "image-to-image",
    ImageToImageTransformers = "image-to-image-transformers",
    ImageToText = "image-to-text",
    ImageToVideo = "image-to-video",
    ObjectDetection = "object-detection",
    PeftChat = "peft-chat",
    ProviderChat = "provider-chat",
    QuestionAnswering = "question-answering",
    SentenceSimilarity = "sentence-similarity",
    Seq2seq = "seq2seq",
    StaticTransformersjs = "static-transformersjs",
    TableQuestionAnswering = "table-question-answering",
    TextClassification = "text-classification",
    TextGeneration = "text-generation",
    TextRanking = "text-ranking",
    TextToImage = "text-to-image",
    TextToSpeech = "text-to-speech",
    TextToVideo = "text-to-video",
    TokenClassification = "token-classification",
    TranslationMultilingual = "translation-multilingual",
    VideoClassification = "video-classification",
    VisualQuestionAnswering = "visual-question-answering",
    ZeroShotAudioClassification = "zero-shot-audio-classification",
    ZeroShotClassification = "zero-shot-classification",
    ZeroShotImageClassification = "zero-shot-image-classification",
    ZeroShotObjectDetection = "zero-shot-object-detection",
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Template {
    type Err = hub::ParseError;

    fn from_str(text: &str) -> Result<Self, hub::ParseError> {
        let found = Self::ALL.iter().copied().find(|template| template.name() == text);
        let names: Vec<&str> = Self::ALL.iter().map(|template| template.name()).collect();
        found.map_or_else(|| suggest::one_of(&names, text), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_and_are_sorted() {
        assert_eq!(Template::ALL.len(), 37);
        for template in Template::ALL {
            assert_eq!(template.name().parse(), Ok(*template));
        }
        assert!(Template::ALL.is_sorted_by_key(|template| template.name()));
        let error = "text-classificaton".parse::<Template>().unwrap_err().to_string();
        assert!(error.contains("text-classification"), "{error}");
    }
}
