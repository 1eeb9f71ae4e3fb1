package dev.ebb.gateway.cancel;

import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.CancelRequest;
import dev.ebb.gateway.protocol.SecretKey;
import java.security.SecureRandom;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The keys handed to clients, each with the backend that it stands for. For any thread. */
public final class CancelKeys {
  private final SecureRandom random;
  private final Map<Integer, Entry> byProcessId = new ConcurrentHashMap<>();

  private record Entry(SecretKey secretKey, Target target) {}

  /** A backend and its own key. */
  public record Target(String host, int port, BackendKeyData key) {}

  public CancelKeys(SecureRandom random) {
    this.random = random;
  }

  /**
   * Makes a key for a session; {@link #remove} ends it.
   *
   * @param keyBytes how long its protocol has it
   */
  public BackendKeyData add(Target target, int keyBytes) {
    var secretKey = SecretKey.random(random, keyBytes);
    while (true) {
      int processId = random.nextInt(Integer.MAX_VALUE - 1) + 1;
      if (byProcessId.putIfAbsent(processId, new Entry(secretKey, target)) == null) {
        return new BackendKeyData(processId, secretKey);
      }
    }
  }

  public void remove(BackendKeyData key) {
    byProcessId.remove(key.processId());
  }

  /** The backend that a request is for; empty where its key is not right. */
  public Optional<Target> find(CancelRequest request) {
    Entry entry = byProcessId.get(request.processId());
    return entry != null && entry.secretKey().equals(request.secretKey())
        ? Optional.of(entry.target())
        : Optional.empty();
  }
}
