package dev.ebb.gateway.protocol;

/** What a client may send while it logs in. */
public sealed interface FrontendMessage permits SaslData, Terminate {}
