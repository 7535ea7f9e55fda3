//! Private halves: bytes that are wiped when they go.
//!
//! *ring*'s own key pair does not wipe itself, so it is made for one signature from the seed and
//! dropped with it.

use std::sync::Arc;

use domain::signing_key::{Kid, PublicKey};
use rand::TryRng as _;
use rand::rngs::SysRng;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use zeroize::Zeroizing;

use super::Unavailable;

/// The 32 bytes that an Ed25519 key is made of.
pub(super) struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// From the operating system.
    pub(super) fn draw() -> Result<Self, rand::rngs::SysError> {
        let mut seed = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(seed.as_mut_slice())?;
        Ok(Self(seed))
    }

    /// Takes what was sealed, if it belongs to this public half.
    pub(super) fn from_opened(
        opened: &SecretSlice<u8>,
        public: &PublicKey,
    ) -> Result<Self, anyhow::Error> {
        let opened = opened.expose_secret();
        anyhow::ensure!(opened.len() == 32, "not a seed");
        let mut seed = Self(Zeroizing::new([0; 32]));
        seed.0.copy_from_slice(opened);
        anyhow::ensure!(seed.public()? == *public, "not the seed of this key");
        Ok(seed)
    }

    pub(super) fn public(&self) -> Result<PublicKey, anyhow::Error> {
        let bytes: [u8; 32] = self.pair()?.public_key().as_ref().try_into()?;
        Ok(PublicKey::from_bytes(bytes))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn pair(&self) -> Result<Ed25519KeyPair, anyhow::Error> {
        Ed25519KeyPair::from_seed_unchecked(self.expose())
            .map_err(|_| anyhow::anyhow!("not the seed of a key"))
    }
}

/// The key that signs for a purpose.
pub struct ActiveKey {
    kid: Kid,
    seed: Arc<Seed>,
}

impl ActiveKey {
    pub(super) fn new(public: PublicKey, seed: Arc<Seed>) -> Self {
        Self {
            kid: public.kid(),
            seed,
        }
    }

    /// Names the key; part of what is signed.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], Unavailable> {
        let signature = self.seed.pair().map_err(Unavailable::new)?.sign(message);
        signature.as_ref().try_into().map_err(Unavailable::new)
    }
}

impl std::fmt::Debug for ActiveKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActiveKey({})", self.kid)
    }
}
