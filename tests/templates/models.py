"""Makes a tiny model with random weights for each template. Nothing is downloaded.

    python models.py FOLDER TEMPLATE...

Each model is in a folder of FOLDER with the name of the template. The base of an adapter is made as well, and the
file `base` in the folder of the adapter has its name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.implementations import BertWordPieceTokenizer

MAKERS: dict[str, Callable[[Path], None]] = {}

#: Text from which the vocabularies are made.
CORPUS = [
    "once upon a time a robot cat met an astronaut on a red planet",
    "the tower is 324 metres tall and stands in paris the capital of france",
    "my name is sarah and i live in london where do i live",
    "my phone is broken urgent not urgent dog music remote control",
    "i like you i love you that is a happy person today is a sunny day",
    "describe this image what is in the image make it a watercolor it waves",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
#: A conversation as text. Parts that are images become the image's mark.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
#: The size of each part of a small transformer.
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 37}
SMALL_VISION = SMALL | {"num_attention_heads": 4, "image_size": 32, "patch_size": 8}
SMALL_LLAMA = SMALL | {"intermediate_size": 64, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def maker(function: Callable[[Path], None]) -> Callable[[Path], None]:
    """Registers a function that makes the model of the template with its name."""
    MAKERS[function.__name__.replace("_", "-")] = function
    return function


def save(folder: Path, *parts) -> None:
    for part in parts:
        part.save_pretrained(folder)


def byte_tokenizer(**options):
    """Returns a tokenizer of bytes, so that it knows every text."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet))
    marks = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks, **options)


def word_vocabulary(folder: Path) -> int:
    """Writes the vocabulary of BERT, and returns its size."""
    words = sorted({word for line in CORPUS for word in line.split()} - set(LETTERS))
    characters = list(LETTERS + "0123456789.,?!")
    lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *characters, *(f"##{c}" for c in characters)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(lines))
    return len(lines)


def word_tokenizer(folder: Path):
    """Returns the tokenizer of BERT, and the size of its vocabulary."""
    from transformers import PreTrainedTokenizerFast

    size = word_vocabulary(folder)
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)._tokenizer
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **marks), size


def save_bert(folder: Path, name: str, **options) -> None:
    import transformers

    tokenizer, size = word_tokenizer(folder)
    config = transformers.BertConfig(vocab_size=size, max_position_embeddings=128, **SMALL, **options)
    save(folder, tokenizer, getattr(transformers, name)(config))


def labels(*names: str) -> dict:
    return {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}


def clip_tokenizer(folder: Path):
    """Returns the tokenizer of CLIP, and the size of its vocabulary."""
    from transformers import CLIPTokenizer

    characters = list(LETTERS + "0123456789.,?!'")
    words = ["<|startoftext|>", "<|endoftext|>", *characters, *(f"{c}</w>" for c in characters)]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=32), len(words)


def clip_text(size: int) -> dict:
    marks = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return SMALL | {"vocab_size": size, "num_attention_heads": 4, "max_position_embeddings": 32} | marks


@maker
def chat(folder: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    save(folder, tokenizer, LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SMALL_LLAMA)))


@maker
def peft_chat(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(make(folder.parent, "chat"))
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(folder)
    (folder.parent / f"{folder.name}.base").write_text("chat")


@maker
def text_generation(folder: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = byte_tokenizer()
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2)
    save(folder, tokenizer, GPT2LMHeadModel(config))


@maker
def seq2seq(folder: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = byte_tokenizer()
    marks = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 2}
    config = T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, **marks)
    save(folder, tokenizer, T5ForConditionalGeneration(config))


@maker
def translation_multilingual(folder: Path) -> None:
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["eng_Latn", "fra_Latn"]})
    sizes = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 37))}
    marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    config = M2M100Config(vocab_size=len(tokenizer), d_model=32, max_position_embeddings=256, **sizes, **marks)
    save(folder, tokenizer, M2M100ForConditionalGeneration(config))


@maker
def text_classification(folder: Path) -> None:
    save_bert(folder, "BertForSequenceClassification", num_labels=3)


@maker
def zero_shot_classification(folder: Path) -> None:
    save_bert(folder, "BertForSequenceClassification", **labels("contradiction", "neutral", "entailment"))


@maker
def token_classification(folder: Path) -> None:
    save_bert(folder, "BertForTokenClassification", **labels("O", "B-PER", "B-LOC"))


@maker
def fill_mask(folder: Path) -> None:
    save_bert(folder, "BertForMaskedLM")


@maker
def question_answering(folder: Path) -> None:
    save_bert(folder, "BertForQuestionAnswering")


@maker
def table_question_answering(folder: Path) -> None:
    from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

    size = word_vocabulary(folder)
    aggregations = {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}
    config = TapasConfig(
        vocab_size=size, max_position_embeddings=256, num_aggregation_labels=4, average_logits_per_cell=False,
        aggregation_labels=aggregations, **SMALL,
    )
    save(folder, TapasTokenizer(str(folder / "vocab.txt"), model_max_length=128), TapasForQuestionAnswering(config))


@maker
def sentence_similarity(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    bert = folder.with_name("bert")
    save_bert(bert, "BertModel")
    SentenceTransformer(modules=[Transformer(str(bert), max_seq_length=64), Pooling(32)]).save(str(folder))


@maker
def text_ranking(folder: Path) -> None:
    save_bert(folder, "BertForSequenceClassification", num_labels=1)


@maker
def text_to_image(folder: Path) -> None:
    import diffusers
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer, size = clip_tokenizer(folder.with_name("clip"))
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=16, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=[32, 64], in_channels=3, out_channels=3, latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    )
    pipeline = diffusers.StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(CLIPTextConfig(**clip_text(size))), tokenizer=tokenizer, unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler(), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )
    save(folder, pipeline)


MAKERS["image-to-image"] = text_to_image


@maker
def diffusers_lora(folder: Path) -> None:
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig, get_peft_model_state_dict

    unet = StableDiffusionPipeline.from_pretrained(make(folder.parent, "text-to-image")).unet
    unet.add_adapter(LoraConfig(r=4, target_modules=["to_q", "to_v"]))
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    (folder.parent / f"{folder.name}.base").write_text("text-to-image")


def save_wan(folder: Path, name: str, channels: int, **parts) -> None:
    import diffusers
    from transformers import UMT5Config, UMT5EncoderModel

    tokenizer = byte_tokenizer(model_max_length=64)
    text = UMT5Config(vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    transformer = diffusers.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=channels, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=32, num_layers=2, cross_attn_norm=True, rope_max_seq_len=1024,
        qk_norm="rms_norm_across_heads",
    )
    vae = diffusers.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0)
    pipeline = getattr(diffusers, name)(
        tokenizer=tokenizer, text_encoder=UMT5EncoderModel(text), transformer=transformer, vae=vae, scheduler=scheduler, **parts
    )
    save(folder, pipeline)


@maker
def text_to_video(folder: Path) -> None:
    save_wan(folder, "WanPipeline", 16)


@maker
def image_to_video(folder: Path) -> None:
    save_wan(folder, "WanImageToVideoPipeline", 36, image_encoder=None, image_processor=None)


@maker
def image_to_image_transformers(folder: Path) -> None:
    from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution, Swin2SRImageProcessor

    config = Swin2SRConfig(
        image_size=32, patch_size=1, embed_dim=16, depths=[2], num_heads=[2], window_size=4, upscale=2, upsampler="pixelshuffle"
    )
    save(folder, Swin2SRForImageSuperResolution(config), Swin2SRImageProcessor())


@maker
def image_classification(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    config = ViTConfig(num_labels=7, **SMALL_VISION)
    save(folder, ViTForImageClassification(config), ViTImageProcessor(size={"height": 32, "width": 32}))


@maker
def image_classification_timm(folder: Path) -> None:
    import timm
    from timm.models import save_for_hf

    save_for_hf(timm.create_model("resnet10t", pretrained=False), folder, model_config={"num_classes": 1000})


def save_clip(folder: Path, family: str, model: str) -> None:
    import transformers

    tokenizer, size = clip_tokenizer(folder.with_name("clip"))
    config = getattr(transformers, f"{family}Config")(text_config=clip_text(size), vision_config=SMALL_VISION, projection_dim=32)
    square = {"height": 32, "width": 32}
    pictures = getattr(transformers, f"{family}ImageProcessor")(
        size={"shortest_edge": 32} if family == "CLIP" else square, crop_size=square
    )
    processor = getattr(transformers, f"{family}Processor")(pictures, tokenizer)
    save(folder, getattr(transformers, model)(config), processor)


@maker
def zero_shot_image_classification(folder: Path) -> None:
    save_clip(folder, "CLIP", "CLIPModel")


@maker
def zero_shot_object_detection(folder: Path) -> None:
    save_clip(folder, "OwlViT", "OwlViTForObjectDetection")


@maker
def object_detection(folder: Path) -> None:
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    config = YolosConfig(num_detection_tokens=10, num_labels=4, **(SMALL | {"image_size": [64, 64], "patch_size": 16}))
    save(folder, YolosForObjectDetection(config), YolosImageProcessor(size={"height": 64, "width": 64}))


@maker
def image_segmentation(folder: Path) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    config = SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[16, 32], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=32, num_labels=4,
    )
    save(folder, SegformerForSemanticSegmentation(config), SegformerImageProcessor(size={"height": 64, "width": 64}))


@maker
def depth_estimation(folder: Path) -> None:
    from transformers import GLPNConfig, GLPNForDepthEstimation, GLPNImageProcessor

    config = GLPNConfig(
        num_encoder_blocks=4, depths=[1] * 4, sr_ratios=[8, 4, 2, 1], hidden_sizes=[16, 16, 32, 32],
        patch_sizes=[7, 3, 3, 3], strides=[4, 2, 2, 2], num_attention_heads=[1, 1, 2, 2], mlp_ratios=[2] * 4,
        decoder_hidden_size=16,
    )
    save(folder, GLPNForDepthEstimation(config), GLPNImageProcessor())


def save_blip(folder: Path, model: str) -> None:
    import transformers

    tokenizer, size = word_tokenizer(folder)
    marks = {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    text = SMALL | marks | {"vocab_size": size, "encoder_hidden_size": 32, "projection_dim": 32, "max_position_embeddings": 64}
    vision = SMALL_VISION | {"num_attention_heads": 2, "projection_dim": 32}
    config = transformers.BlipConfig(text_config=text, vision_config=vision, projection_dim=32)
    pictures = transformers.BlipImageProcessor(size={"height": 32, "width": 32})
    save(folder, getattr(transformers, model)(config), transformers.BlipProcessor(pictures, tokenizer))


@maker
def image_to_text(folder: Path) -> None:
    save_blip(folder, "BlipForConditionalGeneration")


@maker
def visual_question_answering(folder: Path) -> None:
    save_blip(folder, "BlipForQuestionAnswering")


@maker
def image_text_to_text(folder: Path) -> None:
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = byte_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    config = LlavaConfig(
        text_config=SMALL_LLAMA | {"model_type": "llama", "vocab_size": len(tokenizer)},
        vision_config=SMALL_VISION | {"model_type": "clip_vision_model", "projection_dim": 32},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), image_seq_length=16,
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        pictures, tokenizer, patch_size=8, vision_feature_select_strategy="default", chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )
    save(folder, LlavaForConditionalGeneration(config), processor)


@maker
def document_question_answering(folder: Path) -> None:
    from transformers import LayoutLMConfig, LayoutLMForQuestionAnswering

    tokenizer, size = word_tokenizer(folder)
    config = LayoutLMConfig(vocab_size=size, max_position_embeddings=128, **SMALL)
    save(folder, tokenizer, LayoutLMForQuestionAnswering(config))


def save_wav2vec2(folder: Path, model: str, **options) -> None:
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    words = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS.upper(), "'"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    config = transformers.Wav2Vec2Config(
        vocab_size=len(words), conv_dim=(32, 32, 32), conv_stride=(5, 4, 4), conv_kernel=(10, 8, 8),
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, classifier_proj_size=16, pad_token_id=0, **SMALL, **options,
    )
    sounds = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    if model == "Wav2Vec2ForCTC":
        sounds = transformers.Wav2Vec2Processor(sounds, transformers.Wav2Vec2CTCTokenizer(str(vocabulary)))
    save(folder, getattr(transformers, model)(config), sounds)


@maker
def automatic_speech_recognition(folder: Path) -> None:
    save_wav2vec2(folder, "Wav2Vec2ForCTC")


@maker
def audio_classification(folder: Path) -> None:
    save_wav2vec2(folder, "Wav2Vec2ForSequenceClassification", num_labels=4)


@maker
def zero_shot_audio_classification(folder: Path) -> None:
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

    tokenizer = byte_tokenizer(model_max_length=64)
    text = SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 128, "projection_dim": 32, "pad_token_id": 0}
    sound = {
        "spec_size": 32, "num_mel_bins": 16, "patch_size": 2, "patch_stride": 2, "hidden_size": 32, "depths": [1, 1],
        "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 16, "window_size": 4, "projection_dim": 32, "num_classes": 10,
    }
    config = ClapConfig(text_config=text, audio_config=sound, projection_dim=32)
    sounds = ClapFeatureExtractor(feature_size=16, max_length_s=1, hop_length=960, truncation="rand_trunc")
    save(folder, ClapModel(config), ClapProcessor(sounds, tokenizer))


@maker
def text_to_speech(folder: Path) -> None:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = ["<pad>", "<unk>", *LETTERS, "'", " "]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    config = VitsConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=32, flow_size=16,
        spectrogram_bins=9, upsample_initial_channel=16, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]], wavenet_dilation_rate=1, prior_encoder_num_flows=1,
        posterior_encoder_num_wavenet_layers=1, prior_encoder_num_wavenet_layers=1, depth_separable_num_layers=1,
        duration_predictor_num_flows=1, duration_predictor_flow_bins=4,
    )
    save(folder, VitsModel(config), VitsTokenizer(str(vocabulary), is_uroman=False, phonemize=False))


@maker
def video_classification(folder: Path) -> None:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessor

    config = VideoMAEConfig(num_frames=4, num_labels=4, **(SMALL_VISION | {"num_attention_heads": 2}))
    pictures = VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    save(folder, VideoMAEForVideoClassification(config), pictures)


def make(folder: Path, template: str) -> Path:
    """Makes a model, unless it is there, and returns its folder."""
    made = folder / template
    if not made.is_dir():
        torch.manual_seed(0)
        MAKERS[template](made)
    return made


if __name__ == "__main__":
    for name in sys.argv[2:]:
        print(make(Path(sys.argv[1]), name), flush=True)
