package dev.ebb.gateway.session;

import dev.ebb.gateway.cancel.CancelKeys;
import dev.ebb.gateway.console.ClientInfo;
import dev.ebb.gateway.console.Console;
import dev.ebb.gateway.console.ConsoleSession;
import dev.ebb.gateway.limit.LimitException;
import dev.ebb.gateway.pool.PooledClient;
import dev.ebb.gateway.pool.Pools;
import dev.ebb.gateway.protocol.Authentication;
import dev.ebb.gateway.protocol.BackendKeyData;
import dev.ebb.gateway.protocol.CancelRequest;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.FrontendDecoder;
import dev.ebb.gateway.protocol.FrontendMessage;
import dev.ebb.gateway.protocol.GssEncRequest;
import dev.ebb.gateway.protocol.NegotiateProtocolVersion;
import dev.ebb.gateway.protocol.ProtocolViolation;
import dev.ebb.gateway.protocol.SaslData;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.protocol.SslRequest;
import dev.ebb.gateway.protocol.StartupDecoder;
import dev.ebb.gateway.protocol.StartupMessage;
import dev.ebb.gateway.protocol.StartupPacket;
import dev.ebb.gateway.protocol.Terminate;
import dev.ebb.gateway.relay.Closing;
import dev.ebb.gateway.relay.Relay;
import dev.ebb.gateway.session.SessionState.AwaitingClientFinal;
import dev.ebb.gateway.session.SessionState.AwaitingClientFirst;
import dev.ebb.gateway.session.SessionState.AwaitingStartup;
import dev.ebb.gateway.session.SessionState.FindingRole;
import dev.ebb.gateway.tls.TlsSession;
import dev.ebb.gateway.tls.TlsUpgrade;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramViolation;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetClient;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client connection from its first byte to its last. Confined to the socket's event loop,
 * except where a method says otherwise.
 *
 * <p>While an answer is awaited the client's bytes are gathered, up to a bound, rather than left in
 * the kernel: only a socket that is read shows that its client is gone.
 */
public final class ClientSession {
  private static final Logger log = LoggerFactory.getLogger(ClientSession.class);

  /** What a client may send ahead of its first ReadyForQuery. */
  private static final int MAX_EARLY_BYTES = 64 << 10;

  /** Where there are too many connections: how long one may take to say what it wants. */
  private static final long REFUSED_TIMEOUT_MS = 1_000;

  /** How long a login may take that a gateway which is to stop waits for. */
  private static final long DRAIN_LOGIN_MS = 5_000;

  private final SessionServices services;
  private final NetClient backends;
  private final ContextInternal context;
  private final NetSocketInternal socket;
  private final @Nullable Pools pools;
  private final ByteBuf inbox = Unpooled.buffer(256);
  private final Promise<Void> closed = Promise.promise();
  private final SessionRecord record;
  private SessionState state = new AwaitingStartup(null, false);
  private Admission.Verdict verdict = Admission.Verdict.WELCOME;
  private boolean unauthenticated;
  private long timer;
  private long askedNanos;
  private long provenNanos;

  /** What the session was like when it ended; null before. */
  private @Nullable ClientInfo lastSeen;

  /** A pooled client's session ends when it is between two transactions. */
  private boolean draining;

  /**
   * @param pools of the socket's event loop where the client is lent connections; null where it
   *     gets one of its own
   */
  public ClientSession(
      SessionServices services,
      NetClient backends,
      ContextInternal context,
      NetSocketInternal socket,
      @Nullable Pools pools) {
    this.services = services;
    this.backends = backends;
    this.context = context;
    this.socket = socket;
    this.pools = pools;
    this.record = new SessionRecord(socket.channelHandlerContext().channel().remoteAddress());
  }

  /** Starts to read. Called once, when the connection was accepted. */
  public void start() {
    services.live().add(this);
    unauthenticated = true;
    verdict = services.admission().enter();
    socket.closeHandler(gone -> onClosed());
    socket.exceptionHandler(error -> log.debug("a client's connection failed: {}", error + ""));
    socket.messageHandler(this::received);
    if (verdict == Admission.Verdict.DROPPED) {
      record.ends(DisconnectReason.TOO_MANY_CONNECTIONS);
      services.meters().refused(SqlState.TOO_MANY_CONNECTIONS);
      socket.close();
      return;
    }
    long timeoutMs =
        verdict == Admission.Verdict.WELCOME
            ? services.limits().loginTimeoutMs()
            : REFUSED_TIMEOUT_MS;
    timer = services.vertx().setTimer(timeoutMs, fired -> loginTimedOut());
  }

  private void loginTimedOut() {
    record.ends(DisconnectReason.LOGIN_TIMEOUT);
    refuse(new Refusal(SqlState.INVALID_AUTHORIZATION, "the login took too long: closing"));
  }

  private void received(Object message) {
    var chunk = (ByteBuf) message;
    try {
      if (!(state instanceof SessionState.Ended)) {
        inbox.discardReadBytes().writeBytes(chunk);
      }
    } finally {
      chunk.release();
    }
    proceed();
  }

  /** Does what the bytes at hand allow. */
  private void proceed() {
    try {
      boolean again = true;
      while (again) {
        again =
            switch (state) {
              case AwaitingStartup awaiting -> startup(awaiting);
              case AwaitingClientFirst awaiting -> clientFirst(awaiting);
              case AwaitingClientFinal awaiting -> clientFinal(awaiting);
              case SessionState.ShakingHands s -> gather();
              case SessionState.Cancelling s -> gather();
              case FindingRole s -> gather();
              case SessionState.Delayed s -> gather();
              case SessionState.Authenticated s -> gather();
              case SessionState.Connecting s -> gather();
              case SessionState.Administering administering ->
                  administering.console().step(inbox) || gather();
              case SessionState.Relaying s -> false;
              case SessionState.Pooled s -> false;
              case SessionState.Ended s -> false;
            };
      }
    } catch (Refusal e) {
      refuse(e);
    } catch (LimitException e) {
      refuse(Refusal.of("", e));
    } catch (ProtocolViolation | ScramViolation e) {
      log.debug("{} broke the protocol: {}", socket.remoteAddress(), e.getMessage());
      refuse(Refusal.of("", e));
    } catch (RuntimeException e) {
      log.error("a session failed", e);
      refuse(new Refusal("XX000", "internal error in the gateway"));
    }
  }

  private boolean gather() {
    if (inbox.readableBytes() > MAX_EARLY_BYTES) {
      throw new ProtocolViolation("too many bytes ahead of the login's end");
    }
    return false;
  }

  private boolean startup(AwaitingStartup awaiting) {
    if (!awaiting.encrypted()
        && inbox.isReadable()
        && inbox.getByte(inbox.readerIndex()) == TlsUpgrade.HANDSHAKE_RECORD) {
      shakeHandsDirectly(awaiting);
      return false;
    }
    StartupPacket packet = StartupDecoder.decode(inbox);
    switch (packet) {
      case null -> {
        return false;
      }
      case SslRequest request -> shakeHands(awaiting);
      case GssEncRequest request -> {
        requireNothingBehind("GSSENC");
        state = awaiting.afterGss();
        socket.write(Buffer.buffer("N"));
      }
      case CancelRequest request -> {
        record.ends(DisconnectReason.CANCEL_REQUEST);
        state = awaiting.toCancelling();
        services.cancels().forward(backends, request).onComplete(done -> socket.close());
      }
      case StartupMessage message -> {
        requireWelcome(awaiting, message);
        findRole(awaiting, message);
      }
    }
    return true;
  }

  private void requireNothingBehind(String request) {
    if (inbox.isReadable()) {
      throw new ProtocolViolation("received unencrypted data after " + request + " request");
    }
  }

  private void shakeHands(AwaitingStartup awaiting) {
    requireNothingBehind("SSL");
    state = awaiting.toShakingHands();
    services
        .tls()
        .accept(context, socket)
        .onComplete(agreed -> shaken(agreed, null), this::handshakeFailed);
  }

  private void shakeHandsDirectly(AwaitingStartup awaiting) {
    state = awaiting.toShakingHands();
    ByteBuf hello = inbox.readBytes(inbox.readableBytes());
    services
        .tls()
        .acceptDirect(context, socket, hello)
        .onComplete(
            agreed ->
                shaken(
                    agreed,
                    TlsUpgrade.APPLICATION_PROTOCOL.equals(agreed.applicationProtocol())
                        ? null
                        : "TLS without an SSLRequest needs the application protocol \"postgresql\""),
            this::handshakeFailed);
  }

  private void shaken(TlsSession agreed, @Nullable String refusal) {
    if (state instanceof SessionState.ShakingHands shaking) {
      state = shaking.toAwaitingStartup(agreed);
      if (refusal == null) {
        proceed();
      } else {
        refuse(new Refusal(SqlState.PROTOCOL_VIOLATION, refusal));
      }
    }
  }

  private void handshakeFailed(Throwable error) {
    log.debug("TLS with {} failed: {}", socket.remoteAddress(), error.getMessage());
    record.ends(DisconnectReason.TLS_FAILED);
    socket.close();
  }

  private void requireWelcome(AwaitingStartup awaiting, StartupMessage message) {
    if (services.live().isStopping()) {
      throw new Refusal(SqlState.CANNOT_CONNECT_NOW, "the gateway is shutting down");
    }
    if (verdict != Admission.Verdict.WELCOME
        || services.live().size() > services.limits().maxConnections()) {
      throw new Refusal(
          SqlState.TOO_MANY_CONNECTIONS, "sorry, too many clients already: try again later");
    }
    if (services.limits().requireTls() && !awaiting.encrypted()) {
      throw new Refusal(
          SqlState.INVALID_AUTHORIZATION, "this server requires TLS: use sslmode=require");
    }
    if (isReplication(message.parameters().getOrDefault("replication", "off"))) {
      throw new Refusal(
          SqlState.FEATURE_NOT_SUPPORTED, "replication connections are not supported yet");
    }
  }

  private static boolean isReplication(String value) {
    return !List.of("false", "off", "no", "0").contains(value.toLowerCase(java.util.Locale.ROOT));
  }

  private void findRole(AwaitingStartup awaiting, StartupMessage message) {
    askedNanos = System.nanoTime();
    Origin origin = origin(awaiting);
    services.limiter().connects(origin.address());
    var wish = Wish.of(message, origin, services.limits());
    record.asks(wish, message);
    FindingRole asked = awaiting.toFindingRole(message, wish);
    state = asked;
    if (message.needsNegotiation()) {
      socket.write(
          new NegotiateProtocolVersion(message.negotiatedMinorVersion(), message.protocolOptions())
              .encode());
    }
    wish.find(services)
        .onComplete(
            found -> {
              if (state.equals(asked)) {
                state = asked.toAwaitingClientFirst(found);
                socket.write(new Authentication.Sasl(found.exchange().mechanisms()).encode());
                proceed();
              }
            },
            error -> {
              if (state.equals(asked)) {
                refuse(Refusal.of("cannot log in to \"" + wish.address() + "\"", error));
              }
            });
  }

  private Origin origin(AwaitingStartup awaiting) {
    if (socket.channelHandlerContext().channel().remoteAddress()
        instanceof InetSocketAddress remote) {
      return new Origin(remote.getAddress(), awaiting.tls());
    }
    throw new Refusal(SqlState.CONNECTION_FAILURE, "the connection is closed");
  }

  private @Nullable SaslData sasl() {
    FrontendMessage message = FrontendDecoder.decode(inbox);
    return switch (message) {
      case null -> null;
      case SaslData data -> data;
      case Terminate bye -> {
        record.ends(DisconnectReason.CLIENT_TERMINATED);
        end();
        socket.close();
        yield null;
      }
    };
  }

  private boolean clientFirst(AwaitingClientFirst awaiting) {
    SaslData data = sasl();
    if (data == null) {
      return false;
    }
    SaslData.SaslInitialResponse response = data.asInitialResponse();
    String text = response.data();
    if (text == null) {
      throw new ProtocolViolation("malformed SASLInitialResponse: it has no data");
    }
    String challenge = awaiting.found().exchange().first(response.mechanism(), text);
    state = awaiting.toAwaitingClientFinal();
    socket.write(new Authentication.SaslContinue(challenge).encode());
    return true;
  }

  private boolean clientFinal(AwaitingClientFinal awaiting) {
    SaslData data = sasl();
    if (data == null) {
      return false;
    }
    switch (awaiting.found().exchange().last(data.asResponse().data())) {
      case ScramExchange.Rejected rejected -> rejectLater(awaiting);
      case ScramExchange.Proven proven -> {
        SessionState.Authenticated authenticated = awaiting.toAuthenticated(proven.keys());
        state = authenticated;
        provenNanos = System.nanoTime();
        leaveAdmission();
        services.meters().loginSucceeded();
        Wish wish = awaiting.asked().wish();
        InetAddress client = wish.origin().address();
        services.limiter().succeeded(client, wish.limitKey(), wish.user());
        socket.write(
            new Authentication.SaslFinal(proven.serverFinal())
                .encode()
                .appendBuffer(new Authentication.Ok().encode()));
        ErrorResponse refusal = awaiting.found().refusal();
        if (refusal != null) {
          throw new Refusal(refusal);
        }
        Console console = services.console();
        if (console != null && wish.isForConsole()) {
          administer(authenticated, console);
          return true;
        }
        services.limiter().wakes(client, awaiting.found().branch());
        if (pools == null) {
          connect(authenticated, client);
        } else {
          pool(authenticated, pools);
        }
      }
    }
    return true;
  }

  private void rejectLater(AwaitingClientFinal awaiting) {
    SessionState.Delayed delayed = awaiting.toDelayed();
    state = delayed;
    leaveAdmission();
    services.meters().loginFailed();
    Wish wish = awaiting.asked().wish();
    if (wish.isForConsole() && services.console() != null) {
      services.limiter().failedAtConsole(wish.origin().address());
    } else {
      services.limiter().failed(wish.origin().address(), wish.limitKey());
    }
    String user = wish.user();
    String address = wish.origin().address().getHostAddress();
    log.info("password authentication failed for user \"{}\" from {}", Wish.shown(user), address);
    var refusal =
        new Refusal(
            SqlState.INVALID_PASSWORD, "password authentication failed for user \"" + user + "\"");
    long delayMs = services.throttle().failed(address);
    if (delayMs <= 0) {
      refuse(refusal);
      return;
    }
    services
        .vertx()
        .setTimer(
            delayMs,
            fired -> {
              services.throttle().waited();
              if (state.equals(delayed)) {
                refuse(refusal);
              }
            });
  }

  private void administer(SessionState.Authenticated authenticated, Console console) {
    log.info("{} from {} uses the console", record.user(), record.address());
    ConsoleSession session =
        console.open(
            new ConsoleSession.Client() {
              @Override
              public void send(Buffer bytes) {
                if (state instanceof SessionState.Administering) {
                  socket.write(bytes);
                }
              }

              @Override
              public void onLoop(Runnable task) {
                context.runOnContext(now -> task.run());
              }

              @Override
              public void proceed() {
                context.runOnContext(now -> ClientSession.this.proceed());
              }

              @Override
              public void bye() {
                record.ends(DisconnectReason.CLIENT_TERMINATED);
                end();
                Closing.afterFlush(services.vertx(), socket);
              }
            });
    state = authenticated.toAdministering(session);
    session.begin();
  }

  private void pool(SessionState.Authenticated authenticated, Pools shared) {
    var membership = new PoolMembership(services, backends, context, authenticated.login());
    PooledClient client =
        PooledClient.enter(
            socket.channelHandlerContext().channel(),
            shared,
            membership.key(),
            membership.applicationName(),
            new DamageDetails(services.computes(), authenticated.login().branch()),
            membership::open,
            inbox,
            new PooledClient.End() {
              @Override
              public void close(PooledClient.Cause cause) {
                record.ends(
                    switch (cause) {
                      case TERMINATED -> DisconnectReason.CLIENT_TERMINATED;
                      case GONE -> DisconnectReason.CLIENT_GONE;
                      case COMPUTE -> DisconnectReason.COMPUTE_ENDED;
                    });
                end();
                Closing.afterFlush(services.vertx(), socket);
              }

              @Override
              public void refuse(ErrorResponse error) {
                ClientSession.this.refuse(new Refusal(error));
              }
            });
    inbox.clear();
    client.tellBy(PoolMembership::told);
    client.identify(record.id());
    BackendKeyData key =
        services
            .keys()
            .add(
                PoolMembership.cancellable(client), authenticated.login().asked().cancelKeyBytes());
    state = authenticated.toPooled(client, key);
    client.begin(key);
  }

  private void connect(SessionState.Authenticated authenticated, InetAddress client) {
    var attempt = new BackendAttempt(services, context, backends, authenticated.login());
    SessionState.Connecting connecting = authenticated.toConnecting(attempt);
    state = connecting;
    PauseGate.open(services, authenticated.login().address())
        .compose(open -> attempt.start())
        .onComplete(
            connected -> {
              if (connected.started()) {
                services.limiter().woken(client);
                services.meters().woken();
              }
              if (state.equals(connecting)) {
                relay(connecting, connected);
              }
            },
            error -> {
              if (state.equals(connecting)) {
                log.info("{}", error.getMessage());
                refuse(Refusal.of("cannot connect", error));
              }
            });
  }

  private void relay(SessionState.Connecting connecting, BackendAttempt.Connected connected) {
    BackendLogin.Ready backend = connected.backend();
    var compute = connected.compute();
    BackendKeyData key =
        services
            .keys()
            .add(
                CancelKeys.Session.of(
                    new CancelKeys.Target(compute.address(), compute.port(), backend.key())),
                connecting.attempt().login().asked().cancelKeyBytes());
    var relay =
        new Relay(
            services.vertx(),
            socket,
            backend.socket(),
            services.traffic(),
            services.databases().of(connecting.attempt().login().address().database()),
            new DamageDetails(services.computes(), compute.branch()));
    state = connecting.toRelaying(relay, key, compute, backend.key().processId());
    services.live().place(this, compute.branch());
    backend
        .socket()
        .closeHandler(gone -> {
          record.ends(endOf(relay));
          relay.backendClosed();
        });
    backend.socket().exceptionHandler(error -> log.debug("a compute's connection: {}", error + ""));
    socket.write(
        Buffer.buffer(backend.greeting().length() + 32)
            .appendBuffer(backend.greeting())
            .appendBuffer(key.encode())
            .appendBuffer(backend.ready().encode()));
    if (inbox.isReadable()) {
      relay.early(inbox);
    }
    relay.start();
    services
        .meters()
        .connected(
            connected.started(),
            provenNanos - askedNanos,
            connected.wakeNanos(),
            System.nanoTime() - provenNanos - connected.wakeNanos());
  }

  /** Tells the client why, and closes. */
  private void refuse(Refusal refusal) {
    if (state instanceof SessionState.Ended) {
      return;
    }
    services.meters().refused(refusal.error().sqlState());
    String sqlState = refusal.error().sqlState();
    boolean isDrained = draining && sqlState.equals(SqlState.ADMIN_SHUTDOWN);
    record.ends(isDrained ? DisconnectReason.DRAINED : DisconnectReason.of(sqlState));
    end();
    Closing.afterLast(services.vertx(), socket, refusal.error().encode());
  }

  /** Why a session ends whose compute's connection has. */
  private static DisconnectReason endOf(Relay relay) {
    if (relay.wasDrained()) {
      return DisconnectReason.DRAINED;
    }
    if (relay.saidBye()) {
      return DisconnectReason.CLIENT_TERMINATED;
    }
    if (relay.isHalfClosed()) {
      return DisconnectReason.CLIENT_GONE;
    }
    return relay.saidError() ? DisconnectReason.COMPUTE_ENDED : DisconnectReason.COMPUTE_LOST;
  }

  /** Ends the session, on any thread; the future completes when the connection is closed. */
  Future<Void> terminate(DisconnectReason why, String reason) {
    context.runOnContext(now -> {
      record.ends(why);
      if (state instanceof SessionState.Relaying relaying) {
        relaying.relay().terminate(reason);
      } else if (state instanceof SessionState.Pooled pooled) {
        pooled.client().terminate(reason);
      } else {
        refuse(new Refusal(SqlState.ADMIN_SHUTDOWN, "terminating connection: " + reason));
      }
    });
    return closed.future();
  }

  /** Ends the session as soon as it is between two transactions. On any thread. */
  void drain(String reason) {
    context.runOnContext(now -> {
      switch (state) {
        case SessionState.Relaying relaying -> relaying.relay().drain(reason);
        case SessionState.Pooled pooled -> {
          draining = true;
          pooled.client().drain(reason);
        }
        case SessionState.Ended ended -> {}
        case SessionState.Administering administering -> {
          if (!administering.console().isBusy()) {
            endDrained(reason);
          }
        }
        default -> {
          // Who is just logging in came in good faith, and is drained like the others then.
          if (record.ageMs() > DRAIN_LOGIN_MS) {
            endDrained(reason);
          }
        }
      }
    });
  }

  private void endDrained(String reason) {
    record.ends(DisconnectReason.DRAINED);
    refuse(new Refusal(SqlState.ADMIN_SHUTDOWN, "terminating connection: " + reason));
  }

  /** The event loop that the session is confined to. */
  ContextInternal context() {
    return context;
  }

  /** What the client does now. */
  ClientInfo describe() {
    return SessionInfo.of(record, state, socket);
  }

  /** Ends a session whose compute is no longer the branch's newest. On any thread. */
  void endIfOlderThan(Generation newest) {
    context.runOnContext(now -> {
      if (state instanceof SessionState.Relaying relaying) {
        Generation own = relaying.compute().generation();
        if (own != null && own.compareTo(newest) < 0) {
          record.ends(DisconnectReason.COMPUTE_MOVED);
          relaying.relay().terminate("the database has moved to another compute");
        }
      }
    });
  }

  private void onClosed() {
    if (state instanceof SessionState.Relaying relaying) {
      DisconnectReason end = endOf(relaying.relay());
      record.ends(end == DisconnectReason.COMPUTE_LOST ? DisconnectReason.CLIENT_GONE : end);
      relaying.relay().clientClosed();
    }
    tellEnd();
    end();
    services.live().remove(this);
    closed.tryComplete();
  }

  /** What the end leaves behind, once. */
  private void tellEnd() {
    ClientInfo last = lastSeen == null ? describe() : lastSeen;
    DisconnectReason why = record.over(last.mode(), last.statements(), last.transactions());
    if (why != null) {
      services.meters().disconnected(why);
    }
  }

  /** Gives back all that the session holds beside its socket. */
  private void end() {
    leaveAdmission();
    SessionState left = state;
    if (!(left instanceof SessionState.Ended)) {
      lastSeen = describe();
    }
    state = left.toEnded();
    switch (left) {
      case SessionState.Connecting connecting -> connecting.attempt().abandon();
      case SessionState.Administering administering -> administering.console().closed();
      case SessionState.Pooled pooled -> {
        services.keys().remove(pooled.key());
        pooled.client().closed();
      }
      case SessionState.Relaying relaying -> {
        services.keys().remove(relaying.key());
        services.live().displace(this, relaying.compute().branch());
        relaying.compute().leave();
        relaying.relay().tell();
      }
      default -> {}
    }
  }

  private void leaveAdmission() {
    if (unauthenticated) {
      unauthenticated = false;
      services.admission().leave();
      services.vertx().cancelTimer(timer);
    }
  }
}
