//! Private keys in a hardware module: Ed25519 keys that sign, X25519 keys that open what is sealed. `cryptoki` is named here only.
//!
//! A key pair has one label in the module. The secret never leaves it; a public key is read from its public object. What the module signs is
//! verified before anybody gets it. Not here: which keys a process needs, and which of them count: the member list says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use yiqiao_proto::release::{Agree, SealingSecret};
use yiqiao_proto::suite::{PublicKey, SecretKey, Sign, Suite};
use zeroize::Zeroizing;

/// The public key of the private key 1 on X25519: agreeing with it works exactly if the module does (RFC 7748, section 6.1).
const BASE_POINT: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 9;
    point
};

/// A module that is open, with its token signed in to.
pub struct KeyModule {
    library: PathBuf,
    module: Pkcs11,
    slot: Slot,
    /// PKCS#11 allows one operation at a time in a session.
    session: Mutex<Session>,
}

/// What a key in the module can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    /// Signs.
    Ed25519,
    /// Agrees on secrets.
    X25519,
}

/// Why a module, or a key in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// There is no module, or none of PKCS#11.
    #[error("{} cannot be opened as a PKCS#11 module: {cause}", library.display())]
    Library {
        /// The file.
        library: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// No token of this label, or several.
    #[error("{} has {found} tokens labelled `{token}`: it must be one", library.display())]
    Token {
        /// The module.
        library: PathBuf,
        /// The label.
        token: String,
        /// How many there are.
        found: usize,
    },
    /// The module refused.
    #[error("{}: {doing}: {cause}", library.display())]
    Refused {
        /// The module.
        library: PathBuf,
        /// What was asked.
        doing: &'static str,
        /// What it said.
        cause: cryptoki::error::Error,
    },
    /// Several keys of one label, or a private key without its public one.
    #[error("the module has {found} {what} keys labelled `{label}`: it must be one")]
    Ambiguous {
        /// Private or public.
        what: &'static str,
        /// The label.
        label: String,
        /// How many there are.
        found: usize,
    },
    /// A key is of another curve.
    #[error("the module's key `{label}` is no {wanted} key")]
    OtherKey {
        /// The label.
        label: String,
        /// Ed25519 or X25519.
        wanted: &'static str,
    },
    /// There is such a key already; a key is never replaced.
    #[error("the module has a key labelled `{label}` already, which is left as it is")]
    Exists {
        /// The label.
        label: String,
    },
    /// What it signed does not verify.
    #[error("the module signed with another key than its public object says, or wrongly")]
    SignedWrongly,
}

impl KeyModule {
    /// Opens a module and signs in to the token of this label.
    ///
    /// # Errors
    /// [`ModuleError::Library`], [`ModuleError::Token`]; [`ModuleError::Refused`] if the module does not take the PIN.
    pub fn open(library: &Path, token: &str, pin: &Zeroizing<String>) -> Result<Arc<Self>, ModuleError> {
        let unusable = |cause: cryptoki::error::Error| ModuleError::Library {
            library: library.to_owned(),
            cause: cause.to_string(),
        };
        let module = Pkcs11::new(library).map_err(unusable)?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(unusable)?;
        let mut slots = module.get_slots_with_initialized_token().map_err(unusable)?;
        slots.retain(|slot| module.get_token_info(*slot).is_ok_and(|info| info.label() == token));
        let &[slot] = slots.as_slice() else {
            let (library, token) = (library.to_owned(), token.to_owned());
            return Err(ModuleError::Token { library, token, found: slots.len() });
        };
        let refused = |doing| move |cause| ModuleError::Refused { library: library.to_owned(), doing, cause };
        let session = module.open_rw_session(slot).map_err(refused("a session"))?;
        let pin = AuthPin::new(pin.as_str().into());
        session.login(UserType::User, Some(&pin)).map_err(refused("signing in with the PIN"))?;
        let session = Mutex::new(session);
        Ok(Arc::new(Self { library: library.to_owned(), module, slot, session }))
    }

    /// The Ed25519 key of a label; none if there is none.
    ///
    /// # Errors
    /// [`ModuleError`] if the label stands for something else, or the module refuses.
    pub fn signing(self: &Arc<Self>, label: &str) -> Result<Option<SecretKey>, ModuleError> {
        let Some((key, public)) = self.find(label, Curve::Ed25519)? else { return Ok(None) };
        let other = |_| ModuleError::OtherKey { label: label.to_owned(), wanted: Curve::Ed25519.name() };
        let public = PublicKey::new(Suite::International, &public).map_err(other)?;
        let held = Signing { module: Arc::clone(self), key, public };
        Ok(Some(SecretKey::elsewhere(public, Arc::new(held))))
    }

    /// The X25519 key of a label; none if there is none.
    ///
    /// # Errors
    /// As [`KeyModule::signing`].
    pub fn sealing(self: &Arc<Self>, label: &str) -> Result<Option<SealingSecret>, ModuleError> {
        let Some((key, public)) = self.find(label, Curve::X25519)? else { return Ok(None) };
        let held = Agreeing { module: Arc::clone(self), key };
        Ok(Some(SealingSecret::elsewhere(public, Arc::new(held))))
    }

    /// Makes an Ed25519 key under a label.
    ///
    /// # Errors
    /// [`ModuleError::Exists`] if there is one; [`ModuleError::Refused`].
    pub fn make_signing(self: &Arc<Self>, label: &str) -> Result<(), ModuleError> {
        self.make(label, Curve::Ed25519)
    }

    /// Makes an X25519 key under a label.
    ///
    /// # Errors
    /// As [`KeyModule::make_signing`].
    pub fn make_sealing(self: &Arc<Self>, label: &str) -> Result<(), ModuleError> {
        self.make(label, Curve::X25519)
    }

    /// Whether there is a key of this label.
    ///
    /// # Errors
    /// [`ModuleError::Refused`].
    pub fn has(&self, label: &str) -> Result<bool, ModuleError> {
        Ok(!self.objects(&self.session(), ObjectClass::PRIVATE_KEY, label)?.is_empty())
    }

    /// Removes a key that was made and is of no use.
    ///
    /// # Errors
    /// [`ModuleError::Refused`].
    pub fn remove(&self, label: &str) -> Result<(), ModuleError> {
        let session = self.session();
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            for object in self.objects(&session, class, label)? {
                session.destroy_object(object).map_err(|cause| self.refused("removing a key", cause))?;
            }
        }
        Ok(())
    }

    fn make(&self, label: &str, curve: Curve) -> Result<(), ModuleError> {
        if self.has(label)? {
            return Err(ModuleError::Exists { label: label.to_owned() });
        }
        let named = Attribute::Label(label.as_bytes().to_vec());
        let public = [Attribute::Token(true), Attribute::EcParams(curve.oid().to_vec()), named.clone()];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            match curve {
                Curve::Ed25519 => Attribute::Sign(true),
                Curve::X25519 => Attribute::Derive(true),
            },
            named,
        ];
        let how = self.makes(curve).map_err(|cause| self.refused("its mechanisms", cause))?;
        let made = self.session().generate_key_pair(&how, &public, &private);
        made.map(drop).map_err(|cause| self.refused("making a key", cause))
    }

    /// How a key is made. Modules of before PKCS#11 3.0 make X25519 keys as those of Edwards curves.
    fn makes(&self, curve: Curve) -> Result<Mechanism<'static>, cryptoki::error::Error> {
        let known = self.module.get_mechanism_list(self.slot)?;
        let montgomery = known.contains(&MechanismType::ECC_MONTGOMERY_KEY_PAIR_GEN);
        Ok(match curve {
            Curve::X25519 if montgomery => Mechanism::EccMontgomeryKeyPairGen,
            Curve::X25519 | Curve::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
        })
    }

    /// The private key of a label, and its public half.
    fn find(&self, label: &str, curve: Curve) -> Result<Option<(ObjectHandle, [u8; 32])>, ModuleError> {
        let session = self.session();
        let one = |what, objects: Vec<ObjectHandle>| match objects.as_slice() {
            [one] => Ok(*one),
            all => Err(ModuleError::Ambiguous { what, label: label.to_owned(), found: all.len() }),
        };
        let private = self.objects(&session, ObjectClass::PRIVATE_KEY, label)?;
        if private.is_empty() {
            return Ok(None);
        }
        let private = one("private", private)?;
        let public = one("public", self.objects(&session, ObjectClass::PUBLIC_KEY, label)?)?;
        let read = session.get_attributes(public, &[AttributeType::EcParams, AttributeType::EcPoint]);
        let read = read.map_err(|cause| self.refused("reading a public key", cause))?;
        let of_curve = |read: &Attribute| matches!(read, Attribute::EcParams(params) if curve.is(params));
        let point = read.iter().find_map(point_of).filter(|_| read.iter().any(of_curve));
        let other = || ModuleError::OtherKey { label: label.to_owned(), wanted: curve.name() };
        Ok(Some((private, point.ok_or_else(other)?)))
    }

    fn objects(
        &self,
        session: &Session,
        class: ObjectClass,
        label: &str,
    ) -> Result<Vec<ObjectHandle>, ModuleError> {
        let such = [Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())];
        session.find_objects(&such).map_err(|cause| self.refused("looking for a key", cause))
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self, doing: &'static str, cause: cryptoki::error::Error) -> ModuleError {
        ModuleError::Refused { library: self.library.clone(), doing, cause }
    }

    /// X25519 of a private key and somebody's public key.
    fn agree(
        &self,
        key: ObjectHandle,
        public: &[u8; 32],
    ) -> Result<Zeroizing<[u8; 32]>, cryptoki::error::Error> {
        let derived = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen(32.into()),
        ];
        let session = self.session();
        let how = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), public));
        let secret = session.derive_key(&how, key, &derived)?;
        let read = session.get_attributes(secret, &[AttributeType::Value]);
        session.destroy_object(secret)?;
        let value = read?.into_iter().find_map(|read| {
            let Attribute::Value(value) = read else { return None };
            Some(Zeroizing::new(value))
        });
        let value = value.as_ref().and_then(|value| value.as_slice().try_into().ok());
        value.map(Zeroizing::new).ok_or(cryptoki::error::Error::InvalidValue)
    }
}

impl std::fmt::Debug for KeyModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyModule({})", self.library.display())
    }
}

impl Curve {
    const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::X25519 => "X25519",
        }
    }

    /// DER of its object identifier (RFC 8410).
    const fn oid(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x06, 0x03, 0x2b, 0x65, 0x70],
            Self::X25519 => &[0x06, 0x03, 0x2b, 0x65, 0x6e],
        }
    }

    /// Whether `CKA_EC_PARAMS` names it, by identifier or by name (PKCS#11 3.0, section 2.3.10).
    fn is(self, params: &[u8]) -> bool {
        let name: &[u8] = match self {
            Self::Ed25519 => b"\x13\x0cedwards25519",
            Self::X25519 => b"\x13\x0acurve25519",
        };
        params == self.oid() || params == name
    }
}

/// The public key in `CKA_EC_POINT`: as it is, or in a DER octet string.
fn point_of(read: &Attribute) -> Option<[u8; 32]> {
    let Attribute::EcPoint(point) = read else { return None };
    let bare = point.strip_prefix(&[0x04, 0x20]).filter(|bare| bare.len() == 32).unwrap_or(point);
    bare.try_into().ok()
}

/// A key that signs in the module.
struct Signing {
    module: Arc<KeyModule>,
    key: ObjectHandle,
    public: PublicKey,
}

impl Sign for Signing {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let how = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        let signed = self.module.session().sign(&how, self.key, message);
        match signed {
            Ok(signature) if self.public.verify(message, &signature) => signature,
            Ok(_) => stop(&ModuleError::SignedWrongly),
            Err(cause) => stop(&self.module.refused("signing", cause)),
        }
    }
}

/// A key that agrees on secrets in the module.
struct Agreeing {
    module: Arc<KeyModule>,
    key: ObjectHandle,
}

impl Agree for Agreeing {
    fn agree(&self, public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let cause = match self.module.agree(self.key, public) {
            Ok(agreed) => return Some(agreed),
            Err(cause) => cause,
        };
        // What others send must not be able to stop the process: is it the module, or their bytes?
        match self.module.agree(self.key, &BASE_POINT) {
            Ok(_) => None,
            Err(_) => stop(&self.module.refused("opening what is sealed", cause)),
        }
    }
}

/// Ends the process: what it can no longer sign or open it must not go on without. All that was answered is durable, and what is
/// under way is begun again at the next start, as after any crash.
fn stop(why: &ModuleError) -> ! {
    let said = format!("the keys can no longer be used: {why}; start again once the module answers\n");
    // Who does not read it is told by the code.
    std::io::stderr().lock().write_all(said.as_bytes()).ok();
    std::process::exit(1)
}
