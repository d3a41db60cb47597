// Nothing: the module is loaded by its path, and offers C_GetFunctionList only.
