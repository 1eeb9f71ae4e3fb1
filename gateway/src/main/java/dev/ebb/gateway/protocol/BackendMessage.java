package dev.ebb.gateway.protocol;

/** What a backend sends, both received from computes and sent to clients. */
public sealed interface BackendMessage
    permits Authentication,
        BackendKeyData,
        ErrorResponse,
        NegotiateProtocolVersion,
        ReadyForQuery,
        VerbatimMessage {}
