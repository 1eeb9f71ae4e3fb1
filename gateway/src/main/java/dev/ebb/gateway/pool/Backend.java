package dev.ebb.gateway.pool;

import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.shared.model.Generation;
import org.jspecify.annotations.Nullable;

/**
 * What a connection leads to.
 *
 * @param host of the compute
 * @param key under which the compute cancels what runs on the connection
 * @param generation of a primary; null for a replica
 * @param onClose to be run once when the connection is over
 */
public record Backend(
    String host, int port, BackendKeyData key, @Nullable Generation generation, Runnable onClose) {

  String address() {
    return host + ":" + port;
  }

  void close() {
    onClose.run();
  }
}
