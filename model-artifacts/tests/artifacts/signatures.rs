//! Signatures by minisign's own implementation, right and wrong.

use std::io::Cursor;
use std::path::Path;

use minisign::{KeyPair, SecretKey};
use smearscope_artifacts::{ArtifactError, Manifest, ModelFiles, PublicKey};

use crate::common::Copy;

fn key_pair() -> (PublicKey, SecretKey) {
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
    (pk.to_base64().parse().unwrap(), sk)
}

fn sign(folder: &Path, key: &SecretKey) {
    let manifest = std::fs::read(folder.join(Manifest::FILE_NAME)).unwrap();
    let signature = minisign::sign(None, key, Cursor::new(manifest), None, None).unwrap();
    std::fs::write(
        folder.join(PublicKey::SIGNATURE_FILE),
        signature.into_string(),
    )
    .unwrap();
}

fn refusal(model: &Copy, key: &PublicKey) -> String {
    let error = ModelFiles::open_signed(model.path(), Some(key)).unwrap_err();
    assert!(matches!(error, ArtifactError::Signature { .. }), "{error}");
    error.to_string()
}

#[test]
fn only_models_signed_with_the_key_open() {
    let (key, secret) = key_pair();
    let model = Copy::new();
    let message = refusal(&model, &key);
    assert!(
        message.contains("manifest.toml: the model is not signed; install a model that"),
        "{message}"
    );
    sign(model.path(), &secret);
    let files = ModelFiles::open_signed(model.path(), Some(&key)).unwrap();
    assert!(files.is_signed());
    assert!(!ModelFiles::open(model.path()).unwrap().is_signed());

    let message = refusal(&model, &key_pair().0);
    assert!(
        message.contains("manifest.toml.minisig: it was made with another key"),
        "{message}"
    );
    let model = model.edit("license = \"MIT\"", "license = \"GPL-3.0-only\"");
    let message = refusal(&model, &key);
    assert!(message.contains("changed after it was signed"), "{message}");
}

#[test]
fn damaged_signatures_are_refused() {
    let (key, secret) = key_pair();
    let model = Copy::new();
    sign(model.path(), &secret);
    let path = model.path().join(PublicKey::SIGNATURE_FILE);
    let right = std::fs::read(&path).unwrap();
    for length in 0..right.len() - 1 {
        std::fs::write(&path, &right[..length]).unwrap();
        refusal(&model, &key);
    }
    for wrong in [vec![0xff; 300], vec![b'A'; 5000], "é\n".repeat(9).into()] {
        std::fs::write(&path, wrong).unwrap();
        refusal(&model, &key);
    }
}

#[test]
fn an_invalid_key_is_refused_with_a_remedy() {
    for text in ["", "RW", "untrusted comment: minisign public key"] {
        let error = text.parse::<PublicKey>().unwrap_err().to_string();
        assert!(error.contains("the second line of minisign.pub"), "{error}");
    }
}
