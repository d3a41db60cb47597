// C code carries our objects as pointers that do not own them. Whoever makes one keeps the object alive
// for as long as C may hand it back.

/// A pointer to an object, which it does not keep alive.
func unownedPointer<Object: AnyObject>(to object: Object) -> UnsafeMutableRawPointer {
    unsafe Unmanaged.passUnretained(object).toOpaque()
}

/// The object that such a pointer points to. It must be alive and of this type.
func object<Object: AnyObject>(at pointer: UnsafeMutableRawPointer, as type: Object.Type) -> Object {
    unsafe Unmanaged<Object>.fromOpaque(pointer).takeUnretainedValue()
}

/// Lends the object without counting references; something else must keep it alive meanwhile.
func withObject<Object: AnyObject, Result>(
    at pointer: UnsafeMutableRawPointer, as type: Object.Type, _ body: (Object) -> Result
) -> Result {
    unsafe Unmanaged<Object>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
}
