package dev.ebb.gateway.relay;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.atomic.LongAdder;

/**
 * One direction of a relay, on Netty's pipeline: writes what it receives to the peer and flushes
 * once per read. Works there rather than on {@code NetSocket}s because Netty releases every buffer
 * that cannot be written any more, and because buffers pass without a copy.
 */
final class RelayHandler extends ChannelInboundHandlerAdapter {
  private final Channel from;
  private final Channel peer;
  private final LongAdder bytes;
  private final Inspector inspector;
  private final Output output = new ToPeer();
  private boolean paused;
  private long count;

  /** Sees every chunk on its way. */
  @FunctionalInterface
  interface Inspector {
    /** Takes the chunk over; what it writes goes on. */
    void pass(ByteBuf chunk, Output out);

    /** All that was read at once is on its way. */
    default void passed() {}
  }

  /** The way on, for the event loop's thread only, except where a method says otherwise. */
  interface Output {
    /** Takes the bytes over; they are flushed at the end of a read, or by {@link #flush}. */
    void write(ByteBuf chunk);

    void flush();

    /** Reads no more than is on its way already. */
    void pause();

    void resume();

    /** Runs something on the event loop; from any thread. */
    void onLoop(Runnable task);
  }

  RelayHandler(Channel from, Channel peer, LongAdder bytes, Inspector inspector) {
    this.from = from;
    this.peer = peer;
    this.bytes = bytes;
    this.inspector = inspector;
  }

  /** How many bytes have come this way. */
  long count() {
    return count;
  }

  Output output() {
    return output;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (!(message instanceof ByteBuf chunk) || !peer.isActive()) {
      ReferenceCountUtil.release(message);
      return;
    }
    int read = chunk.readableBytes();
    bytes.add(read);
    count += read;
    inspector.pass(chunk, output);
    if (!peer.isWritable()) {
      // Also ends the present read loop; the peer's handler turns it on again.
      from.config().setAutoRead(false);
    }
  }

  private final class ToPeer implements Output {
    @Override
    public void write(ByteBuf chunk) {
      if (peer.isActive()) {
        var _ = peer.write(chunk, peer.voidPromise());
      } else {
        chunk.release();
      }
    }

    @Override
    public void flush() {
      peer.flush();
    }

    @Override
    public void pause() {
      paused = true;
      from.config().setAutoRead(false);
    }

    @Override
    public void resume() {
      paused = false;
      from.config().setAutoRead(peer.isWritable());
    }

    @Override
    public void onLoop(Runnable task) {
      from.eventLoop().execute(task);
    }
  }

  /** The peer takes bytes again, or not. */
  void peerWritable(boolean writable) {
    from.config().setAutoRead(writable && !paused);
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    peer.flush();
    inspector.passed();
    // Vert.x began the read in which this handler was put in, and holds writes back until its end.
    context.fireChannelReadComplete();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    // This channel takes bytes again (or not): the peer may send again (or not).
    RelayHandler other = peer.pipeline().get(RelayHandler.class);
    if (other != null) {
      other.peerWritable(context.channel().isWritable());
    } else {
      peer.config().setAutoRead(context.channel().isWritable());
    }
    context.fireChannelWritabilityChanged();
  }
}
