package dev.ebb.walservice.receive;

import dev.ebb.shared.model.Secret;

/**
 * The primary that a receiver connects to.
 *
 * @param systemIdentifier it must have
 * @param standbyName the application_name that it waits for
 */
public record Primary(
    long systemIdentifier,
    String host,
    int port,
    String user,
    Secret password,
    Secret standbyName) {}
