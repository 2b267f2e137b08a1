//! The database in a file of the browser: a synchronous access handle, or whatever else reads and writes at offsets.

use std::io;

use js_sys::{Error as JsError, Reflect};
use mailkeep::{Storage, StorageFile};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What the worker wraps around a `FileSystemSyncAccessHandle`. Every method may throw a `DOMException`.
    #[wasm_bindgen(js_name = SyncFile)]
    #[derive(Debug, Clone)]
    pub type SyncFile;

    /// The length in octets.
    #[wasm_bindgen(method, structural, catch)]
    fn size(this: &SyncFile) -> Result<f64, JsValue>;

    /// Reads at most as many octets as there is room for; 0 at the end.
    #[wasm_bindgen(method, structural, catch)]
    fn read(this: &SyncFile, at: f64, out: &mut [u8]) -> Result<u32, JsValue>;

    /// Writes some of the octets and says how many.
    #[wasm_bindgen(method, structural, catch)]
    fn write(this: &SyncFile, at: f64, data: &[u8]) -> Result<u32, JsValue>;

    /// Makes the file so long.
    #[wasm_bindgen(method, structural, catch)]
    fn truncate(this: &SyncFile, len: f64) -> Result<(), JsValue>;

    /// Returns when everything written is durable.
    #[wasm_bindgen(method, structural, catch)]
    fn flush(this: &SyncFile) -> Result<(), JsValue>;
}

/// A place in the browser's storage. The worker opens and closes the handle behind it, since that takes promises; the
/// engine may open and close the place as often as it likes meanwhile.
#[derive(Debug)]
pub(crate) struct BrowserStorage {
    name: String,
    file: SyncFile,
}

impl BrowserStorage {
    pub(crate) fn new(name: String, file: SyncFile) -> BrowserStorage {
        BrowserStorage { name, file }
    }
}

impl Storage for BrowserStorage {
    fn open(&self) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(BrowserFile(self.file.clone())))
    }

    fn identity(&self) -> String {
        format!("browser:{}", self.name)
    }
}

#[derive(Debug)]
struct BrowserFile(SyncFile);

impl StorageFile for BrowserFile {
    fn len(&self) -> io::Result<u64> {
        self.0.size().map(|len| len as u64).map_err(|thrown| cause(&thrown))
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let mut at = offset as f64;
        while !out.is_empty() {
            let taken = self.0.read(at, out).map_err(|thrown| cause(&thrown))?;
            if taken == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out = out.get_mut(taken as usize..).ok_or(io::ErrorKind::InvalidData)?;
            at += f64::from(taken);
        }
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut at = offset as f64;
        while !data.is_empty() {
            let taken = self.0.write(at, data).map_err(|thrown| cause(&thrown))?;
            if taken == 0 {
                // Browsers that do not throw at the quota write nothing.
                return Err(io::ErrorKind::StorageFull.into());
            }
            data = data.get(taken as usize..).ok_or(io::ErrorKind::InvalidData)?;
            at += f64::from(taken);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len as f64).map_err(|thrown| cause(&thrown))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.flush().map_err(|thrown| cause(&thrown))
    }
}

/// What a `DOMException` means to the store.
fn cause(thrown: &JsValue) -> io::Error {
    let field = |name: &str| Reflect::get(thrown, &name.into()).ok().and_then(|value| value.as_string());
    let name = thrown.dyn_ref::<JsError>().map(|error| String::from(error.name())).or_else(|| field("name"));
    let name = name.unwrap_or_default();
    let kind = match name.as_str() {
        "QuotaExceededError" => io::ErrorKind::StorageFull,
        "NoModificationAllowedError" => io::ErrorKind::WouldBlock,
        // The browser took the handle back: the tab slept, or the file's data was cleared.
        "InvalidStateError" | "NotFoundError" => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, format!("{name}: {}", field("message").unwrap_or_default()))
}
