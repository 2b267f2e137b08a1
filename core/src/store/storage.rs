//! Where the database's bytes live: a file, memory, or a place of the host's own.

use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A place that holds one database, which the engine opens, and opens again after a failure or a
/// suspension.
pub trait Storage: Debug + Send + Sync + 'static {
    /// Opens the place for reading and writing, alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where it is open elsewhere and the place can tell.
    fn open(&self) -> io::Result<Box<dyn StorageFile>>;

    /// What names the place within this process, equal for two ways to the same place. The engine
    /// refuses a second opening by it, whether the place has locks or not.
    fn identity(&self) -> String;
}

/// An opened place. All methods may be called from several threads.
pub trait StorageFile: Debug + Send + Sync + 'static {
    /// The length in octets.
    fn len(&self) -> io::Result<u64>;

    /// Fills `out` from `offset`; an error if the place is shorter.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Sets the length; what is new reads as zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns when everything written is durable.
    fn sync(&self) -> io::Result<()>;

    /// Gives back the lock and whatever else is held. Not used afterwards.
    fn close(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether nothing is there yet.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A file on disk, locked while it is open.
#[derive(Debug, Clone)]
pub struct FileStorage {
    path: PathBuf,
    create: bool,
}

impl FileStorage {
    /// The file at `path`, made if it is not there.
    pub fn new(path: impl AsRef<Path>) -> FileStorage {
        FileStorage { path: path.as_ref().to_owned(), create: true }
    }

    /// The file at `path`, which must be there.
    pub fn existing(path: impl AsRef<Path>) -> FileStorage {
        FileStorage { path: path.as_ref().to_owned(), create: false }
    }
}

impl Storage for FileStorage {
    fn open(&self) -> io::Result<Box<dyn StorageFile>> {
        let file =
            OpenOptions::new().read(true).write(true).create(self.create).truncate(false).open(&self.path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            // Some network file systems and platforms have no locks; the engine's own registry
            // still keeps this process from opening it twice.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Box::new(OpenFile { file }))
    }

    fn identity(&self) -> String {
        let absolute = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let parent = absolute.parent().and_then(|p| p.canonicalize().ok());
        let resolved = absolute.canonicalize().ok();
        let place = resolved.or_else(|| Some(parent?.join(absolute.file_name()?))).unwrap_or(absolute);
        format!("file:{}", place.display())
    }
}

#[derive(Debug)]
struct OpenFile {
    file: File,
}

impl StorageFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    #[cfg(unix)]
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, out, offset)
    }

    #[cfg(unix)]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, data, offset)
    }

    #[cfg(windows)]
    fn read(&self, mut offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        while !out.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_read(&self.file, out, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out = &mut out[n..];
            offset += n as u64;
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write(&self, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_write(&self.file, data, offset)?;
            data = &data[n..];
            offset += n as u64;
        }
        Ok(())
    }

    #[cfg(not(any(unix, windows)))]
    fn read(&self, _offset: u64, _out: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(any(unix, windows)))]
    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn close(&self) -> io::Result<()> {
        match self.file.unlock() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            other => other,
        }
    }
}

/// Memory that outlives the engine as long as a clone of it is kept.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl MemoryStorage {
    /// Empty memory.
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    /// Memory that starts with these bytes: a copy of a database file, say.
    pub fn from_bytes(bytes: Vec<u8>) -> MemoryStorage {
        MemoryStorage { bytes: Arc::new(Mutex::new(bytes)) }
    }

    /// A copy of what it holds now.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Debug for MemoryStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStorage({} octets)", self.lock().len())
    }
}

impl Storage for MemoryStorage {
    fn open(&self) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(self.clone()))
    }

    fn identity(&self) -> String {
        format!("memory:{:p}", Arc::as_ptr(&self.bytes))
    }
}

impl StorageFile for MemoryStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.lock();
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.lock();
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let end = start.checked_add(data.len()).ok_or(io::ErrorKind::InvalidInput)?;
        bytes.get_mut(start..end).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.lock().resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
