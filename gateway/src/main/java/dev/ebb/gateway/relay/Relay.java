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
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.net.NetSocketInternal;
import org.jspecify.annotations.Nullable;

/**
 * Hands bytes on, both ways. A side that does not read makes the other wait, so that memory stays
 * flat. The end of one side is the end of the other, after what was written is sent.
 *
 * <p>What both send is followed from one message's header to the next, and not looked at otherwise:
 * an error gets the details that only a compute's host knows, to tell a client why its session ends
 * it must be between two messages, since an error put into the middle of a row would be read as
 * data, and a session that is to end when nothing is lost by it must be between two transactions.
 * Confined to one event loop, which both sockets share.
 */
public final class Relay {
  private final Vertx vertx;
  private final NetSocketInternal client;
  private final NetSocketInternal backend;
  private final Traffic traffic;
  private final ErrorInspector errors;
  private final ClientWalk asked = new ClientWalk();
  private final DatabaseTraffic database;
  private @Nullable RelayHandler fromClient;
  private @Nullable RelayHandler fromBackend;
  private long answered;

  /** Since when the first statement that is not answered has been on its way; 0: there is none. */
  private long sinceNanos;

  private @Nullable String draining;
  private boolean drained;
  private boolean ending;

  /** The client sends nothing more, and may still read. */
  private boolean halfClosed;

  public Relay(
      Vertx vertx,
      NetSocketInternal client,
      NetSocketInternal backend,
      Traffic traffic,
      DatabaseTraffic database,
      ErrorDetails details) {
    this.vertx = vertx;
    this.client = client;
    this.backend = backend;
    this.traffic = traffic;
    this.database = database;
    this.errors = new ErrorInspector(details);
  }

  /** Passes on what the client sent before the start. */
  public void early(ByteBuf bytes) {
    asked.walk(bytes);
    begins();
    var copy = new byte[bytes.readableBytes()];
    bytes.readBytes(copy);
    backend.write(Buffer.buffer(copy));
  }

  /** Starts. From here on the sockets' message handlers receive nothing. */
  public void start() {
    var from =
        new RelayHandler(
            channelOf(client), channelOf(backend), traffic.fromClients, new FromClient());
    connect(client, backend, from);
    var back =
        new RelayHandler(
            channelOf(backend), channelOf(client), traffic.toClients, new FromBackend());
    channelOf(client).config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    onInputEnd(client, this::clientInputEnded);
    connect(backend, client, back);
    fromClient = from;
    fromBackend = back;
  }

  private final class FromClient implements RelayHandler.Inspector {
    @Override
    public void pass(ByteBuf chunk, RelayHandler.Output out) {
      asked.walk(chunk);
      begins();
      out.write(chunk);
    }
  }

  private void begins() {
    if (sinceNanos == 0 && asked.asked() > answered) {
      sinceNanos = System.nanoTime();
    }
  }

  /** Several that were answered at once took as long together. */
  private void answered() {
    long now = errors.walk().readies();
    if (now > answered) {
      long nanos = System.nanoTime();
      if (sinceNanos != 0) {
        database.statements(now - answered, nanos - sinceNanos);
      }
      answered = now;
      sinceNanos = asked.asked() > now ? nanos : 0;
    }
  }

  private final class FromBackend implements RelayHandler.Inspector {
    @Override
    public void pass(ByteBuf chunk, RelayHandler.Output out) {
      errors.pass(chunk, out);
    }

    @Override
    public void passed() {
      answered();
      endIfIdle();
    }
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
    halfClosed = true;
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
    RelayHandler back = fromBackend;
    if (back != null) {
      errors.end(back.output());
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

  /** Ends the session as soon as it is between two transactions. */
  public void drain(String reason) {
    draining = reason;
    endIfIdle();
  }

  private void endIfIdle() {
    String why = draining;
    if (why != null && !ending && isIdle()) {
      drained = true;
      terminate(why);
    }
  }

  /** Whether it was ended because it was to be drained. */
  public boolean wasDrained() {
    return drained;
  }

  /** Whether all that the client asked for was answered, and no transaction is open. */
  public boolean isIdle() {
    return asked.isSynced()
        && asked.asked() == errors.walk().readies()
        && errors.isBetweenMessages()
        && errors.walk().isIdle();
  }

  /** How many statements were answered: those of a pipeline up to its Sync are one. */
  public long statements() {
    return errors.walk().readies();
  }

  public long transactions() {
    return errors.walk().transactions();
  }

  /** Adds what went through to the database's sums: once, when the session is over. */
  public void tell() {
    RelayHandler from = fromClient;
    RelayHandler back = fromBackend;
    database.transactions(transactions());
    database.received(from == null ? 0 : from.count());
    database.sent(back == null ? 0 : back.count());
  }

  /** Whether the client sends nothing any more, whatever it said. */
  public boolean isHalfClosed() {
    return halfClosed;
  }

  /** Whether the client has said that it goes. */
  public boolean saidBye() {
    return asked.saidBye();
  }

  /** Whether the compute has told the client why it goes. */
  public boolean saidError() {
    return errors.saidError();
  }

  private void end(String sqlState, String message) {
    ending = true;
    if (!halfClosed && !saidBye() && errors.isBetweenMessages() && !errors.saidError()) {
      Buffer error = ErrorResponse.fatal(sqlState, message).encode();
      if (drained) {
        // What the client is just sending must not make the kernel drop the error.
        Closing.afterLast(vertx, client, error);
        return;
      }
      client.write(error);
    }
    Closing.afterFlush(vertx, client);
  }
}
