package dev.ebb.gateway.session;

import dev.ebb.gateway.console.ClientInfo;
import dev.ebb.gateway.pool.ClientState;
import dev.ebb.gateway.relay.Relay;
import io.netty.handler.ssl.SslHandler;
import io.vertx.core.internal.net.NetSocketInternal;
import org.jspecify.annotations.Nullable;

/** Describes a session from its state. */
final class SessionInfo {
  private SessionInfo() {}

  static ClientInfo of(SessionRecord record, SessionState state, NetSocketInternal socket) {
    return switch (state) {
      case SessionState.Pooled pooled -> pooled(record, pooled.client().describe(), socket);
      case SessionState.Relaying relaying -> {
        Relay relay = relaying.relay();
        var active =
            new ClientState(
                relay.isIdle() ? "idle" : "active",
                0,
                relaying.processId(),
                true,
                0,
                relay.transactions(),
                relay.statements());
        yield info(
            record,
            "session",
            active,
            socket,
            new ClientInfo.Compute(relaying.compute().address(), relaying.compute().port()));
      }
      case SessionState.Administering administering -> {
        long statements = administering.console().statements();
        yield info(record, "console", idle(statements), socket, null);
      }
      case SessionState.Authenticated authenticated ->
          info(record, "session", waiting(), socket, null);
      case SessionState.Connecting connecting -> info(record, "session", waiting(), socket, null);
      default -> info(record, "login", idle(0), socket, null);
    };
  }

  private static ClientInfo pooled(
      SessionRecord record, ClientState client, NetSocketInternal socket) {
    return info(record, "transaction", client, socket, null);
  }

  private static ClientState idle(long statements) {
    return new ClientState("idle", 0, 0, false, 0, 0, statements);
  }

  private static ClientState waiting() {
    return new ClientState("waiting", 0, 0, false, 0, 0, 0);
  }

  private static ClientInfo info(
      SessionRecord record,
      String mode,
      ClientState client,
      NetSocketInternal socket,
      ClientInfo.@Nullable Compute compute) {
    return new ClientInfo(
        record.id(),
        record.user(),
        record.database(),
        mode,
        client.state(),
        record.address(),
        record.port(),
        record.connectedEpochMs(),
        client.waitNanos(),
        tls(socket),
        record.applicationName(),
        client.server(),
        client.pinned(),
        client.preparedStatements(),
        client.transactions(),
        client.statements(),
        compute);
  }

  private static String tls(NetSocketInternal socket) {
    SslHandler tls = socket.channelHandlerContext().pipeline().get(SslHandler.class);
    return tls == null ? "" : tls.engine().getSession().getProtocol();
  }
}
