package dev.ebb.gateway.session;

import dev.ebb.gateway.pool.PooledClient;
import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.ProtocolViolation;
import dev.ebb.gateway.protocol.StartupMessage;
import dev.ebb.gateway.relay.Relay;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramKeys;

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
  record AwaitingStartup(boolean encrypted, boolean askedForGss) implements SessionState {
    ShakingHands toShakingHands() {
      if (encrypted) {
        throw new ProtocolViolation("a second request for encryption");
      }
      return new ShakingHands();
    }

    AwaitingStartup afterGss() {
      if (encrypted || askedForGss) {
        throw new ProtocolViolation("a second request for encryption");
      }
      return new AwaitingStartup(false, true);
    }

    Cancelling toCancelling() {
      return new Cancelling();
    }

    FindingRole toFindingRole(StartupMessage startup, String user, BranchAddress address) {
      return new FindingRole(startup, user, address);
    }
  }

  /** TLS is being negotiated. */
  record ShakingHands() implements SessionState {
    AwaitingStartup toAwaitingStartup() {
      return new AwaitingStartup(true, false);
    }
  }

  /** A cancel request is being forwarded. */
  record Cancelling() implements SessionState {}

  /** The catalog and the branch's roles are being asked. */
  record FindingRole(StartupMessage startup, String user, BranchAddress address)
      implements SessionState {
    AwaitingClientFirst toAwaitingClientFirst(BranchId branch, ScramExchange exchange) {
      return new AwaitingClientFirst(this, branch, exchange);
    }
  }

  /** Waits for SCRAM's client-first-message. */
  record AwaitingClientFirst(FindingRole asked, BranchId branch, ScramExchange exchange)
      implements SessionState {
    AwaitingClientFinal toAwaitingClientFinal() {
      return new AwaitingClientFinal(asked, branch, exchange);
    }
  }

  /** Waits for SCRAM's client-final-message. */
  record AwaitingClientFinal(FindingRole asked, BranchId branch, ScramExchange exchange)
      implements SessionState {
    Authenticated toAuthenticated(ScramKeys keys) {
      return new Authenticated(
          new Login(asked.user(), asked.address(), branch, asked.startup(), keys));
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

    Connecting toConnecting(BackendAttempt attempt) {
      return new Connecting(attempt);
    }
  }

  /** The branch is woken and its compute logged into. */
  record Connecting(BackendAttempt attempt) implements SessionState {
    Relaying toRelaying(Relay relay, BackendKeyData key, Target compute) {
      return new Relaying(relay, key, compute);
    }
  }

  /** Bytes go both ways. */
  record Relaying(Relay relay, BackendKeyData key, Target compute) implements SessionState {}

  /** The client is lent a connection for each transaction. */
  record Pooled(PooledClient client, BackendKeyData key) implements SessionState {}

  /** Nothing more is read from the client. */
  record Ended() implements SessionState {}
}
