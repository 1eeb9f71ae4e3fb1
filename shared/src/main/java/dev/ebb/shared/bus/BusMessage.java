package dev.ebb.shared.bus;

/**
 * Everything that rides the event bus. Each concrete record is registered with a number in {@link
 * MessageTags}; its components are encoded in order of declaration by {@link BusCodec}.
 */
public sealed interface BusMessage
    permits ComputeMessage, Failure, Ok, PageMessage, Request, ScalerMessage, WalMessage {}
