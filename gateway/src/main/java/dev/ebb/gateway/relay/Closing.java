package dev.ebb.gateway.relay;

import io.netty.channel.ChannelOption;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.net.NetSocketInternal;

/** Ways to end a connection that neither lose what was written nor wait for ever. */
public final class Closing {
  /** How long a peer that does not read may hold back the end of its connection. */
  private static final long FLUSH_TIMEOUT_MS = 5_000;

  /** How long a peer that is refused may go on sending. */
  private static final long LINGER_MS = 1_000;

  private Closing() {}

  /** Closes when everything written is sent, or the peer has not read it in time. */
  public static void afterFlush(Vertx vertx, NetSocketInternal socket) {
    var closed = socket.close();
    if (!closed.isComplete()) {
      long timer =
          vertx.setTimer(
              FLUSH_TIMEOUT_MS,
              fired -> {
                var _ = socket.channelHandlerContext().close();
              });
      closed.onComplete(done -> vertx.cancelTimer(timer));
    }
  }

  /**
   * Sends a last message and closes. The peer may still be sending: closing at once would make the
   * kernel reset the connection and drop the message, so what comes is thrown away for a moment.
   */
  public static void afterLast(Vertx vertx, NetSocketInternal socket, Buffer message) {
    long unread =
        vertx.setTimer(
            FLUSH_TIMEOUT_MS,
            fired -> {
              var _ = socket.channelHandlerContext().close();
            });
    socket
        .write(message)
        .onComplete(written -> {
          vertx.cancelTimer(unread);
          var channel = socket.channelHandlerContext().channel();
          if (written.failed()
              || channel.pipeline().get(SslHandler.class) != null
              || !(channel instanceof DuplexChannel duplex)
              || duplex.isInputShutdown()) {
            afterFlush(vertx, socket);
            return;
          }
          // From here on the peer's end is the end. Only a socket that is read shows it.
          var _ = channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, false);
          var _ = channel.config().setAutoRead(true);
          var _ = duplex.shutdownOutput();
          long timer = vertx.setTimer(LINGER_MS, fired -> afterFlush(vertx, socket));
          var _ = channel.closeFuture().addListener(closed -> vertx.cancelTimer(timer));
        });
  }
}
