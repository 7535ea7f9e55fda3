//! The one thing that *ring* does for tokens: whether a signature is the key's (ADR 18).

use domain::jwt::{Algorithm, Compact, Key, Material, Reject};
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// Checks a token's signature with the key that [`Compact::key`] chose.
pub fn verify(token: &Compact<'_>, key: &Key) -> Result<(), Reject> {
    let (signed, given) = (token.signed.as_bytes(), &token.signature);
    let curve = |algorithm: &'static dyn VerificationAlgorithm, public: &[u8]| {
        UnparsedPublicKey::new(algorithm, public).verify(signed, given)
    };
    let holds = match (&key.material, key.algorithm) {
        (Material::P256(point), Algorithm::ES256) => {
            curve(&signature::ECDSA_P256_SHA256_FIXED, point)
        }
        (Material::P384(point), Algorithm::ES384) => {
            curve(&signature::ECDSA_P384_SHA384_FIXED, point)
        }
        (Material::Ed25519(public), Algorithm::EdDSA) => curve(&signature::ED25519, public),
        (Material::Rsa { n, e }, algorithm) => match rsa(algorithm) {
            Some(parameters) => RsaPublicKeyComponents { n, e }.verify(parameters, signed, given),
            None => return Err(Reject::Algorithm),
        },
        _ => return Err(Reject::Algorithm),
    };
    holds.map_err(|_| Reject::Signature)
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => None,
    }
}
