//! The shapes in which components take files. Pure.

use serde_json::{Value, json};

use super::api::Parameter;

/// Returns a file as events carry it. Without `meta`, the server does not accept it as a file.
pub(super) fn file_data(path: &str, name: &str) -> Value {
    json!({"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}})
}

/// Puts files into the shape that the component takes.
pub(super) fn shape(parameter: &Parameter, value: Value) -> Value {
    if value.is_null() {
        return value;
    }
    let is_file = |value: &Value| value.get("path").is_some();
    let component = parameter.component.to_ascii_lowercase();
    let schema = &parameter.schema;
    match component.as_str() {
        // Gradio 4 and 5 wrap a video, Gradio 6 does not.
        "video" if is_file(&value) && schema.pointer("/properties/video").is_some() => {
            json!({"video": value, "subtitles": null})
        }
        "imageeditor" if is_file(&value) => json!({"background": value, "layers": [], "composite": value}),
        "gallery" => {
            let items = match value {
                Value::Array(items) => items,
                one => vec![one],
            };
            Value::Array(items.into_iter().map(|item| gallery_item(schema, item)).collect())
        }
        "imageslider" if is_file(&value) => json!([value, value]),
        _ if is_file(&value) && schema.get("type") == Some(&"array".into()) => json!([value]),
        _ => value,
    }
}

/// Makes an item of a gallery from a file, or from a file and its caption.
fn gallery_item(schema: &Value, item: Value) -> Value {
    let (file, caption) = match item {
        Value::Array(mut pair) if pair.first().is_some_and(|first| first.get("path").is_some()) => {
            (pair[0].take(), pair.get_mut(1).map(Value::take).unwrap_or_default())
        }
        file if file.get("path").is_some() => (file, Value::Null),
        other => return other,
    };
    const FILMS: [&str; 5] = [".mp4", ".mov", ".webm", ".mkv", ".avi"];
    let name = file.get("orig_name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let is_film = FILMS.iter().any(|ending| name.ends_with(ending));
    // Galleries take films since Gradio 5.
    if is_film && schema.pointer("/$defs/GalleryVideo").is_some() {
        return json!({"video": file, "caption": caption});
    }
    json!({"image": file, "caption": caption})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(component: &str, schema: Value) -> Parameter {
        Parameter { component: component.into(), schema, ..Parameter::default() }
    }

    #[test]
    fn each_component_gets_its_shape() {
        let file = json!({"path": "p"});
        let video = json!({"properties": {"video": {}}});
        assert_eq!(shape(&parameter("Video", video), file.clone())["video"], file);
        assert_eq!(shape(&parameter("Video", json!({"properties": {"path": {}}})), file.clone()), file);
        assert_eq!(shape(&parameter("File", json!({"type": "array"})), file.clone()), json!([file]));
        assert_eq!(shape(&parameter("File", json!({"type": "object"})), file.clone()), file);
        let gallery = parameter("Gallery", json!({"$defs": {"GalleryVideo": {}}}));
        assert_eq!(shape(&gallery, json!([file]))[0], json!({"image": file, "caption": null}));
        assert_eq!(shape(&gallery, json!([[file, "cat"]]))[0], json!({"image": file, "caption": "cat"}));
        let film = json!({"path": "p", "orig_name": "cat.MP4"});
        assert_eq!(shape(&gallery, json!([film]))[0], json!({"video": film, "caption": null}));
        assert_eq!(shape(&parameter("Gallery", json!({})), Value::Null), Value::Null);
        assert_eq!(shape(&parameter("ImageEditor", json!({})), file.clone())["composite"], file);
    }
}
