package dev.ebb.gateway.session;

import dev.ebb.gateway.console.ConsoleSession;
import dev.ebb.gateway.pool.PooledClient;
import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.ProtocolViolation;
import dev.ebb.gateway.protocol.StartupMessage;
import dev.ebb.gateway.relay.Relay;
import dev.ebb.gateway.tls.TlsSession;
import dev.ebb.shared.scram.ScramKeys;
import org.jspecify.annotations.Nullable;

/**
 * Where a session stands. Each state's methods are the only ways onward; from every state a session
 * may end.
 */
sealed interface SessionState {

  /** Whatever happened. */
  default Ended toEnded() {
    return new Ended();
  }

  /** Waits for a startup packet. */
  record AwaitingStartup(@Nullable TlsSession tls, boolean askedForGss) implements SessionState {
    boolean encrypted() {
      return tls != null;
    }

    ShakingHands toShakingHands() {
      if (encrypted()) {
        throw new ProtocolViolation("a second request for encryption");
      }
      return new ShakingHands();
    }

    AwaitingStartup afterGss() {
      if (encrypted() || askedForGss) {
        throw new ProtocolViolation("a second request for encryption");
      }
      return new AwaitingStartup(null, true);
    }

    Cancelling toCancelling() {
      return new Cancelling();
    }

    FindingRole toFindingRole(StartupMessage startup, Wish wish) {
      return new FindingRole(startup, wish);
    }
  }

  /** TLS is being negotiated. */
  record ShakingHands() implements SessionState {
    AwaitingStartup toAwaitingStartup(TlsSession tls) {
      return new AwaitingStartup(tls, false);
    }
  }

  /** A cancel request is being forwarded. */
  record Cancelling() implements SessionState {}

  /** The catalog and the branch's roles are being asked. */
  record FindingRole(StartupMessage startup, Wish wish) implements SessionState {
    AwaitingClientFirst toAwaitingClientFirst(Wish.Found found) {
      return new AwaitingClientFirst(this, found);
    }
  }

  /** Waits for SCRAM's client-first-message. */
  record AwaitingClientFirst(FindingRole asked, Wish.Found found) implements SessionState {
    AwaitingClientFinal toAwaitingClientFinal() {
      return new AwaitingClientFinal(asked, found);
    }
  }

  /** Waits for SCRAM's client-final-message. */
  record AwaitingClientFinal(FindingRole asked, Wish.Found found) implements SessionState {
    Authenticated toAuthenticated(ScramKeys keys) {
      return new Authenticated(
          new Login(
              asked.wish().user(), asked.wish().address(), found.branch(), asked.startup(), keys));
    }

    Delayed toDelayed() {
      return new Delayed();
    }
  }

  /** The login failed, which the client is told in a moment. */
  record Delayed() implements SessionState {}

  /** The client has proven who it is. */
  record Authenticated(Login login) implements SessionState {
    Pooled toPooled(PooledClient client, BackendKeyData key) {
      return new Pooled(client, key);
    }

    Administering toAdministering(ConsoleSession console) {
      return new Administering(console);
    }

    Connecting toConnecting(BackendAttempt attempt) {
      return new Connecting(attempt);
    }
  }

  /** The branch is woken and its compute logged into. */
  record Connecting(BackendAttempt attempt) implements SessionState {
    Relaying toRelaying(Relay relay, BackendKeyData key, Target compute, int processId) {
      return new Relaying(relay, key, compute, processId);
    }
  }

  /**
   * Bytes go both ways.
   *
   * @param key under which the client may cancel
   * @param processId of the backend
   */
  record Relaying(Relay relay, BackendKeyData key, Target compute, int processId)
      implements SessionState {}

  /** The client is lent a connection for each transaction. */
  record Pooled(PooledClient client, BackendKeyData key) implements SessionState {}

  /** The client talks to the gateway itself. */
  record Administering(ConsoleSession console) implements SessionState {}

  /** Nothing more is read from the client. */
  record Ended() implements SessionState {}
}
