package dev.ebb.gateway.cancel;

import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.CancelRequest;
import dev.ebb.gateway.protocol.SecretKey;
import io.vertx.core.Future;
import java.security.SecureRandom;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The keys handed to clients, each with the session that it stands for. For any thread. */
public final class CancelKeys {
  private final SecureRandom random;
  private final Map<Integer, Entry> byProcessId = new ConcurrentHashMap<>();

  private record Entry(SecretKey secretKey, Session session) {}

  /** A backend and its own key. */
  public record Target(String host, int port, BackendKeyData key) {}

  public CancelKeys(SecureRandom random) {
    this.random = random;
  }

  /** A session whose statements may be cancelled. For any thread. */
  public interface Session {
    /**
     * The backend that works for the session now, which goes on to do so until {@link #letGo}: a
     * late cancel must not hit the next one that it works for. Empty where none does; there is
     * nothing to let go then.
     */
    Future<Optional<Target>> hold();

    void letGo();

    /** One that has a backend of its own. */
    static Session of(Target target) {
      return new Session() {
        @Override
        public Future<Optional<Target>> hold() {
          return Future.succeededFuture(Optional.of(target));
        }

        @Override
        public void letGo() {}
      };
    }
  }

  /**
   * Makes a key for a session; {@link #remove} ends it.
   *
   * @param keyBytes how long its protocol has it
   */
  public BackendKeyData add(Session session, int keyBytes) {
    var secretKey = SecretKey.random(random, keyBytes);
    while (true) {
      int processId = random.nextInt(Integer.MAX_VALUE - 1) + 1;
      if (byProcessId.putIfAbsent(processId, new Entry(secretKey, session)) == null) {
        return new BackendKeyData(processId, secretKey);
      }
    }
  }

  public void remove(BackendKeyData key) {
    byProcessId.remove(key.processId());
  }

  /** The session that a request is for; empty where its key is not right. */
  public Optional<Session> find(CancelRequest request) {
    Entry entry = byProcessId.get(request.processId());
    return entry != null && entry.secretKey().equals(request.secretKey())
        ? Optional.of(entry.session())
        : Optional.empty();
  }
}
