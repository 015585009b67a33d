//! What one source file declares, imports and mentions, as far as modules are concerned.

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, Token, UseTree, Visibility};

/// The name that a `use` brings into scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binding {
    Name(String),
    Glob,
    /// `as _`: a trait without its name.
    Hidden,
}

/// One leaf of a `use` declaration.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    pub(super) binding: Binding,
    /// Whether other modules can see the name, as with `pub use` and `pub(crate) use`.
    pub(super) reexport: bool,
}

/// The contents of one module, without the modules below it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Names of functions, types, constants, traits and macros.
    pub(super) items: Vec<String>,
    /// Macros that `#[macro_export]` moves to the root.
    pub(super) exported_macros: Vec<String>,
    pub(super) uses: Vec<Use>,
    /// Paths in code, in attributes and in the arguments of macros.
    pub(super) paths: Vec<Vec<String>>,
    pub(super) modules: Vec<Declaration>,
}

/// `mod name;` or `mod name { … }`.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) name: String,
    /// The value of `#[path = "…"]`.
    pub(super) path: Option<String>,
    pub(super) inline: Option<Contents>,
}

/// Reads the items of a file or of an inline module. `with_tests` includes test code.
pub(super) fn contents(items: &[Item], with_tests: bool) -> Contents {
    let mut reader = Reader {
        with_tests,
        contents: Contents::default(),
    };
    for item in items {
        reader.top_level(item);
    }
    reader.contents
}

/// Whether these attributes leave the code out of every build without tests.
pub(super) fn is_left_out(attributes: &[Attribute], with_tests: bool) -> bool {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .filter_map(|attribute| attribute.parse_args::<Meta>().ok())
        .any(|predicate| holds(&predicate, with_tests) == Some(false))
}

/// The value of a `cfg` predicate; `None` where it depends on the build.
fn holds(predicate: &Meta, with_tests: bool) -> Option<bool> {
    match predicate {
        Meta::Path(path) => {
            (path.is_ident("test") || path.is_ident("fuzzing")).then_some(with_tests)
        }
        Meta::NameValue(pair) => {
            let syn::Expr::Lit(value) = &pair.value else {
                return None;
            };
            let syn::Lit::Str(value) = &value.lit else {
                return None;
            };
            (pair.path.is_ident("feature") && value.value() == "test-support").then_some(with_tests)
        }
        Meta::List(list) => {
            let parts = list
                .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .ok()?;
            let mut values = parts.iter().map(|part| holds(part, with_tests));
            if list.path.is_ident("not") {
                values.next()?.map(|value| !value)
            } else if list.path.is_ident("all") {
                decided(values, false)
            } else if list.path.is_ident("any") {
                decided(values, true)
            } else {
                None
            }
        }
    }
}

/// `any` (where one `true` decides) or `all` (where one `false` does).
fn decided(values: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let values: Vec<_> = values.collect();
    if values.contains(&Some(decisive)) {
        Some(decisive)
    } else if values.contains(&None) {
        None
    } else {
        Some(!decisive)
    }
}

struct Reader {
    with_tests: bool,
    contents: Contents,
}

impl Reader {
    fn top_level(&mut self, item: &Item) {
        if is_left_out(attributes(item), self.with_tests) {
            return;
        }
        if let Some(name) = item_name(item) {
            self.contents.items.push(name);
        }
        if let Item::Macro(definition) = item
            && let Some(name) = &definition.ident
            && definition
                .attrs
                .iter()
                .any(|attribute| attribute.path().is_ident("macro_export"))
        {
            self.contents.exported_macros.push(name.to_string());
        }
        self.visit_item(item);
    }

    fn declaration(&mut self, module: &syn::ItemMod) {
        let path = module.attrs.iter().find_map(|attribute| {
            let Meta::NameValue(pair) = &attribute.meta else {
                return None;
            };
            match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(value),
                    ..
                }) if pair.path.is_ident("path") => Some(value.value()),
                _ => None,
            }
        });
        self.contents.modules.push(Declaration {
            name: plain(&module.ident),
            path,
            inline: module
                .content
                .as_ref()
                .map(|(_, items)| contents(items, self.with_tests)),
        });
    }

    fn import(&mut self, tree: &UseTree, path: &mut Vec<String>, reexport: bool) {
        match tree {
            UseTree::Path(step) => {
                path.push(plain(&step.ident));
                self.import(&step.tree, path, reexport);
                path.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path, reexport);
                }
            }
            UseTree::Glob(_) => self.leaf(path.clone(), Binding::Glob, reexport),
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = path.last().cloned() {
                    self.leaf(path.clone(), Binding::Name(last), reexport);
                }
            }
            UseTree::Name(name) => {
                let name = plain(&name.ident);
                let path = path.iter().cloned().chain([name.clone()]).collect();
                self.leaf(path, Binding::Name(name), reexport);
            }
            UseTree::Rename(rename) => {
                let last = (rename.ident != "self").then(|| plain(&rename.ident));
                let path = path.iter().cloned().chain(last).collect();
                let binding = if rename.rename == "_" {
                    Binding::Hidden
                } else {
                    Binding::Name(plain(&rename.rename))
                };
                self.leaf(path, binding, reexport);
            }
        }
    }

    fn leaf(&mut self, path: Vec<String>, binding: Binding, reexport: bool) {
        self.contents.uses.push(Use {
            path,
            binding,
            reexport,
        });
    }

    /// Finds paths in tokens that are not parsed: the arguments of macros and of attributes.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        // How much of `::` has been read behind the path so far.
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.mention(&mut path);
                    }
                    path.push(plain(&ident));
                    colons = 0;
                }
                TokenTree::Punct(punct)
                    if punct.as_char() == ':' && colons < 2 && !path.is_empty() =>
                {
                    colons += 1;
                }
                other => {
                    self.mention(&mut path);
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Literal(literal) => self.path_in_string(&literal.to_string()),
                        TokenTree::Punct(_) | TokenTree::Ident(_) => {}
                    }
                }
            }
        }
        self.mention(&mut path);
    }

    fn mention(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.contents.paths.push(std::mem::take(path));
        }
    }

    /// A string that is a path of this crate as a whole, as in `#[serde(with = "crate::time")]`.
    fn path_in_string(&mut self, literal: &str) {
        if let Ok(path) = syn::parse_str::<syn::LitStr>(literal)
            .and_then(|string| syn::parse_str::<syn::Path>(&string.value()))
            && path.segments.len() > 1
        {
            self.visit_path(&path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_left_out(attributes(item), self.with_tests) {
            return;
        }
        match item {
            Item::Mod(module) => self.declaration(module),
            Item::Use(declaration) => {
                if declaration.leading_colon.is_none() {
                    let reexport = !matches!(declaration.vis, Visibility::Inherited);
                    self.import(&declaration.tree, &mut Vec::new(), reexport);
                }
            }
            other => visit::visit_item(self, other),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let segments = path.segments.iter();
            self.contents
                .paths
                .push(segments.map(|segment| plain(&segment.ident)).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        match &attribute.meta {
            Meta::List(list) => self.tokens(list.tokens.clone()),
            Meta::Path(_) | Meta::NameValue(_) => {}
        }
    }

    /// `pub(in crate::a)` names a module and imports nothing from it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes: &[_] = match item {
            syn::ImplItem::Const(item) => &item.attrs,
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Type(item) => &item.attrs,
            syn::ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_left_out(attributes, self.with_tests) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        let attributes: &[_] = match item {
            syn::TraitItem::Const(item) => &item.attrs,
            syn::TraitItem::Fn(item) => &item.attrs,
            syn::TraitItem::Type(item) => &item.attrs,
            syn::TraitItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        if !is_left_out(attributes, self.with_tests) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_left_out(&field.attrs, self.with_tests) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !is_left_out(&field.attrs, self.with_tests) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !is_left_out(&variant.attrs, self.with_tests) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !is_left_out(&arm.attrs, self.with_tests) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_left_out(&local.attrs, self.with_tests) {
            visit::visit_local(self, local);
        }
    }
}

/// An identifier without the `r#` of a raw one.
fn plain(ident: &proc_macro2::Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

fn item_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(plain(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
