package dev.ebb.gateway.cancel;

import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.CancelRequest;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The keys handed to clients, each with the backend that it stands for. For any thread. */
public final class CancelKeys {
  private final SecureRandom random;
  private final Map<Integer, Entry> byProcessId = new ConcurrentHashMap<>();

  private record Entry(int secretKey, Target target) {}

  /** A backend and its own key. */
  public record Target(String host, int port, BackendKeyData key) {}

  public CancelKeys(SecureRandom random) {
    this.random = random;
  }

  /** Makes a key for a session; {@link #remove} ends it. */
  public BackendKeyData add(Target target) {
    int secretKey = random.nextInt();
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
    return entry != null
            && MessageDigest.isEqual(bytes(entry.secretKey()), bytes(request.secretKey()))
        ? Optional.of(entry.target())
        : Optional.empty();
  }

  private static byte[] bytes(int key) {
    return ByteBuffer.allocate(Integer.BYTES).putInt(key).array();
  }
}
