package dev.ebb.walservice.send;

import dev.ebb.shared.model.Secret;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What a WAL sender is told at start.
 *
 * @param port 0 for any free one
 * @param orAnyPort whether any free one will do where that one is in use
 * @param token the password of its clients
 * @param timeout a client that says nothing for so long is gone, as {@code wal_sender_timeout} has
 *     it
 * @param maxSenders more who have logged in at once are refused
 */
public record WalSenderConfig(
    String host, int port, boolean orAnyPort, Secret token, Duration timeout, int maxSenders) {
  private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(60);
  private static final int DEFAULT_SENDERS = 100;

  public WalSenderConfig {
    List<String> wrong = new ArrayList<>();
    if (port < 0 || port > 65535) {
      wrong.add("port must be from 0 to 65535, not " + port);
    }
    if (token.reveal().isBlank()) {
      wrong.add("the token is missing");
    }
    if (timeout.toMillis() < 100) {
      wrong.add("timeout must be at least 100 ms, not " + timeout);
    }
    if (maxSenders < 1) {
      wrong.add("maxSenders must be positive, not " + maxSenders);
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }

  /** With the usual bounds. */
  public static WalSenderConfig of(String host, int port, Secret token) {
    return new WalSenderConfig(host, port, false, token, DEFAULT_TIMEOUT, DEFAULT_SENDERS);
  }
}
