package dev.ebb.gateway.session;

import dev.ebb.gateway.auth.BackendScram;
import dev.ebb.gateway.protocol.Authentication;
import dev.ebb.gateway.protocol.BackendDecoder;
import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.BackendMessage;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.NegotiateProtocolVersion;
import dev.ebb.gateway.protocol.ReadyForQuery;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.protocol.VerbatimMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.scram.ScramExchange;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.net.NetSocketInternal;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Logs into a compute over one connection, up to its first ReadyForQuery. What the compute says on
 * the way is gathered, so that a login which fails half-way can be tried again without the client
 * seeing anything. Confined to the socket's event loop.
 *
 * <p>Fails with {@link EbbException.Unavailable} where another try may succeed, with {@link
 * Refusal} where none will.
 */
final class BackendLogin {
  /** Settings and notices that a compute may send before it is ready. */
  private static final int MAX_GREETING_BYTES = 256 << 10;

  /** The compute stops, starts or has crashed. */
  private static final Set<String> TRANSIENT =
      Set.of(SqlState.ADMIN_SHUTDOWN, SqlState.CRASH_SHUTDOWN, SqlState.CANNOT_CONNECT_NOW);

  private final NetSocketInternal socket;
  private final Login login;
  private final BackendScram scram;
  private final ByteBuf inbox = Unpooled.buffer(1024);
  private final Buffer greeting = Buffer.buffer(512);
  private final Promise<Ready> done;
  private @Nullable BackendKeyData key;
  private boolean authenticated;

  /**
   * A compute that waits for the first statement.
   *
   * @param greeting ParameterStatus and the like, for the client
   */
  record Ready(
      NetSocketInternal socket, Buffer greeting, BackendKeyData key, ReadyForQuery ready) {}

  /**
   * @param done of the socket's event loop, not completed yet
   */
  BackendLogin(NetSocketInternal socket, Login login, BackendScram scram, Promise<Ready> done) {
    this.socket = socket;
    this.done = done;
    this.login = login;
    this.scram = scram;
  }

  Future<Ready> start() {
    socket.messageHandler(this::received);
    socket.closeHandler(
        closed -> done.tryFail(new EbbException.Unavailable("the compute closed the connection")));
    socket.exceptionHandler(
        error -> done.tryFail(new EbbException.Unavailable("the compute: " + error, error)));
    socket.write(login.forBackend().encode());
    return done.future();
  }

  private void received(Object message) {
    var chunk = (ByteBuf) message;
    try {
      inbox.writeBytes(chunk);
    } finally {
      chunk.release();
    }
    try {
      BackendMessage next;
      while (!done.future().isComplete() && (next = BackendDecoder.decode(inbox)) != null) {
        handle(next);
      }
    } catch (RuntimeException e) {
      done.tryFail(e);
    }
  }

  private void handle(BackendMessage message) {
    switch (message) {
      case Authentication authentication -> authenticate(authentication);
      case BackendKeyData data -> key = data;
      case ErrorResponse error -> done.tryFail(judge(error));
      case ReadyForQuery ready -> ready(ready);
      case VerbatimMessage verbatim -> greet(verbatim);
      case NegotiateProtocolVersion version -> {
        // A PostgreSQL before 18 that speaks 3.0: nothing is spoken that it does not know.
        if (authenticated || !version.unknownOptions().isEmpty()) {
          throw unexpected();
        }
      }
    }
  }

  private void authenticate(Authentication message) {
    switch (message) {
      case Authentication.Sasl sasl -> {
        if (!sasl.mechanisms().contains(ScramExchange.MECHANISM)) {
          throw unexpected();
        }
        socket.write(Authentication.encodeInitialResponse(ScramExchange.MECHANISM, scram.first()));
      }
      case Authentication.SaslContinue challenge -> {
        String answer = scram.last(challenge.data());
        if (answer == null) {
          throw new Refusal(
              SqlState.INVALID_PASSWORD,
              "the password of user \""
                  + login.user()
                  + "\" was changed while it logged in: connect again");
        }
        socket.write(Authentication.encodeResponse(answer));
      }
      case Authentication.SaslFinal proof -> {
        if (!scram.isServerProven(proof.data())) {
          throw new EbbException.Corrupt("the compute does not hold the role's verifier");
        }
      }
      case Authentication.Ok ok -> authenticated = true;
      case Authentication.Unsupported method ->
          throw new EbbException.Corrupt(
              "the compute asks for an authentication other than SCRAM-SHA-256 (method "
                  + method.code()
                  + "): see its pg_hba.conf");
    }
  }

  private void greet(VerbatimMessage message) {
    if (greeting.length() + message.bytes().length > MAX_GREETING_BYTES) {
      throw new EbbException.Corrupt("the compute says too much before it is ready");
    }
    greeting.appendBytes(message.bytes());
  }

  private void ready(ReadyForQuery ready) {
    BackendKeyData own = key;
    if (!authenticated || own == null || inbox.isReadable()) {
      throw unexpected();
    }
    done.tryComplete(new Ready(socket, greeting, own, ready));
  }

  private static RuntimeException judge(ErrorResponse error) {
    return TRANSIENT.contains(error.sqlState())
        ? new EbbException.Unavailable(error.message())
        : new Refusal(error);
  }

  private static EbbException unexpected() {
    return new EbbException.Corrupt("the compute sent an unexpected message");
  }
}
