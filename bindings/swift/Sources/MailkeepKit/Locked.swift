import Foundation

/// A value that one thread at a time may touch.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    /// Does something with the value, which is short and calls nothing foreign.
    func with<R>(_ act: (inout Value) throws -> R) rethrows -> R {
        lock.lock()
        defer { lock.unlock() }
        return try act(&value)
    }
}

/// A reference that does not keep what it refers to.
struct Weak<Object: AnyObject> {
    weak var object: Object?
}
