//! Which models the appliance uses: the current one and the previous one.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

/// The name of [`ModelId::Shipped`] in `models.toml`.
const SHIPPED: &str = "shipped";

/// A model that the appliance may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ModelId {
    /// The model that comes with the program.
    #[default]
    Shipped,
    /// An installed model, by the name of its folder: name, version and a random part.
    Installed(String),
}

impl ModelId {
    /// Name and version, for messages.
    pub fn label(&self) -> &str {
        match self {
            Self::Shipped => "the shipped model",
            Self::Installed(name) => name.rsplit_once('-').map_or(name, |(label, _)| label),
        }
    }
}

impl TryFrom<String> for ModelId {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let mut components = Path::new(&name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(only)), None) if only == name.as_str() => {
                Ok(if name == SHIPPED {
                    Self::Shipped
                } else {
                    Self::Installed(name)
                })
            }
            _ => Err(format!("{name:?} is not the name of a folder")),
        }
    }
}

impl From<ModelId> for String {
    fn from(id: ModelId) -> Self {
        match id {
            ModelId::Shipped => SHIPPED.into(),
            ModelId::Installed(name) => name,
        }
    }
}

/// The content of `models.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// The model in use.
    pub current: ModelId,
    /// The model that was in use before, to roll back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<ModelId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_folder_in_the_store() {
        for name in ["..", ".", "", "/etc", "a/b", "a/", "../a"] {
            assert!(ModelId::try_from(name.to_owned()).is_err(), "{name:?}");
        }
        let id = ModelId::try_from("smear-2-1.0.0-rc.1-x7Gh2Q".to_owned()).unwrap();
        assert_eq!(id.label(), "smear-2-1.0.0-rc.1");
        assert_eq!(ModelId::try_from(SHIPPED.to_owned()), Ok(ModelId::Shipped));
    }
}
