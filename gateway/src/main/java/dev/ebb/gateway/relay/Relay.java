package dev.ebb.gateway.relay;

import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.vertx.core.Vertx;
import io.vertx.core.internal.net.NetSocketInternal;
import org.jspecify.annotations.Nullable;

/**
 * Hands bytes on, both ways. A side that does not read makes the other wait, so that memory stays
 * flat. The end of one side is the end of the other, after what was written is sent.
 *
 * <p>What a client sends is not looked at. What a backend sends is followed from one message's
 * header to the next: an error gets the details that only a compute's host knows, and to tell a
 * client why its session ends it must be between two messages, since an error put into the middle
 * of a row would be read as data. Confined to one event loop, which both sockets share.
 */
public final class Relay {
  private static final int TERMINATE_BYTES = 5;

  private final Vertx vertx;
  private final NetSocketInternal client;
  private final NetSocketInternal backend;
  private final Traffic traffic;
  private final ErrorInspector errors;
  private RelayHandler.@Nullable Output toClient;
  private boolean ending;

  /** The client sends nothing more, or said so last, and may still read. */
  private boolean leaving;

  public Relay(
      Vertx vertx,
      NetSocketInternal client,
      NetSocketInternal backend,
      Traffic traffic,
      ErrorDetails details) {
    this.vertx = vertx;
    this.client = client;
    this.backend = backend;
    this.traffic = traffic;
    this.errors = new ErrorInspector(details);
  }

  /** Starts. From here on the sockets' message handlers receive nothing. */
  public void start() {
    connect(
        client,
        backend,
        new RelayHandler(
            channelOf(client),
            channelOf(backend),
            traffic.fromClients,
            (chunk, out) -> {
              leaving = endsWithTerminate(chunk);
              out.write(chunk);
            }));
    var fromBackend =
        new RelayHandler(channelOf(backend), channelOf(client), traffic.toClients, errors);
    toClient = fromBackend.output();
    channelOf(client).config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    onInputEnd(client, this::clientInputEnded);
    connect(backend, client, fromBackend);
  }

  private static io.netty.channel.Channel channelOf(NetSocketInternal socket) {
    return socket.channelHandlerContext().channel();
  }

  private static void connect(NetSocketInternal from, NetSocketInternal to, RelayHandler handler) {
    if (!channelOf(from).eventLoop().equals(channelOf(to).eventLoop())) {
      throw new IllegalStateException("a session's sockets must share an event loop");
    }
    ChannelPipeline pipeline = channelOf(from).pipeline();
    pipeline.addBefore(from.channelHandlerContext().name(), "relay", handler);
  }

  /** Most clients send it for itself. Where other bytes look like it, an error is not told. */
  private static boolean endsWithTerminate(ByteBuf chunk) {
    int at = chunk.writerIndex() - TERMINATE_BYTES;
    return at >= chunk.readerIndex() && chunk.getByte(at) == 'X' && chunk.getInt(at + 1) == 4;
  }

  private static void onInputEnd(NetSocketInternal socket, Runnable then) {
    channelOf(socket)
        .pipeline()
        .addBefore(
            socket.channelHandlerContext().name(),
            "half",
            new ChannelInboundHandlerAdapter() {
              @Override
              public void userEventTriggered(ChannelHandlerContext context, Object event) {
                if (event instanceof ChannelInputShutdownEvent) {
                  then.run();
                }
                context.fireUserEventTriggered(event);
              }
            });
  }

  /**
   * The client has closed its side, as some do behind Terminate. PostgreSQL reads that behind all
   * that was sent before: it answers that, and closes.
   */
  private void clientInputEnded() {
    leaving = true;
    var channel = channelOf(backend);
    var _ =
        channel
            .writeAndFlush(Unpooled.EMPTY_BUFFER)
            .addListener(flushed -> {
              if (flushed.isSuccess() && channel instanceof DuplexChannel duplex) {
                var _ = duplex.shutdownOutput();
              } else {
                Closing.afterFlush(vertx, backend);
              }
            });
  }

  /** The client is gone: what it sent last still reaches the backend. */
  public void clientClosed() {
    ending = true;
    Closing.afterFlush(vertx, backend);
  }

  /** The backend is gone: the client is told, unless the backend did so or is in mid-message. */
  public void backendClosed() {
    RelayHandler.Output out = toClient;
    if (out != null) {
      errors.end(out);
    }
    if (!ending) {
      end(SqlState.CONNECTION_FAILURE, "the connection to the compute was lost: connect again");
    }
  }

  /**
   * Ends the session from the gateway's side. The backend sees the end of its connection and no
   * Terminate: the client may be in the middle of a message.
   */
  public void terminate(String reason) {
    if (!ending) {
      end(SqlState.ADMIN_SHUTDOWN, "terminating connection: " + reason);
      Closing.afterFlush(vertx, backend);
    }
  }

  private void end(String sqlState, String message) {
    ending = true;
    if (!leaving && errors.isBetweenMessages() && !errors.saidError()) {
      client.write(ErrorResponse.fatal(sqlState, message).encode());
    }
    Closing.afterFlush(vertx, client);
  }
}
