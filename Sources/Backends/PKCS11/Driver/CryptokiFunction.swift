// The PKCS#11 functions that Postern calls.

/// One function of a module, for errors and for telling what a thread waits for.
enum CryptokiFunction: String, Sendable {
    /// Opening the module's file.
    case load = "dlopen"
    case initialize = "C_Initialize"
    case finalize = "C_Finalize"
    case getInfo = "C_GetInfo"
    case getSlotList = "C_GetSlotList"
    case getSlotInfo = "C_GetSlotInfo"
    case getTokenInfo = "C_GetTokenInfo"
    case getMechanismInfo = "C_GetMechanismInfo"
    case openSession = "C_OpenSession"
    case closeSession = "C_CloseSession"
    case getSessionInfo = "C_GetSessionInfo"
    case login = "C_Login"
    case createObject = "C_CreateObject"
    case destroyObject = "C_DestroyObject"
    case getAttributeValue = "C_GetAttributeValue"
    case findObjectsInit = "C_FindObjectsInit"
    case findObjects = "C_FindObjects"
    case findObjectsFinal = "C_FindObjectsFinal"
    case encryptInit = "C_EncryptInit"
    case encrypt = "C_Encrypt"
    case decryptInit = "C_DecryptInit"
    case decrypt = "C_Decrypt"
    case signInit = "C_SignInit"
    case sign = "C_Sign"
    case generateKey = "C_GenerateKey"
    case generateKeyPair = "C_GenerateKeyPair"
    case wrapKey = "C_WrapKey"
    case unwrapKey = "C_UnwrapKey"
}
