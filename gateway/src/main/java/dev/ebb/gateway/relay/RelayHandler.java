package dev.ebb.gateway.relay;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * One direction of a relay, on Netty's pipeline: writes what it receives to the peer and flushes
 * once per read. Works there rather than on {@code NetSocket}s because Netty releases every buffer
 * that cannot be written any more, and because buffers pass without a copy.
 */
final class RelayHandler extends ChannelInboundHandlerAdapter {
  private final Channel peer;
  private final LongAdder bytes;
  private final Consumer<ByteBuf> watcher;

  RelayHandler(Channel peer, LongAdder bytes, Consumer<ByteBuf> watcher) {
    this.peer = peer;
    this.bytes = bytes;
    this.watcher = watcher;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (!(message instanceof ByteBuf chunk) || !peer.isActive()) {
      ReferenceCountUtil.release(message);
      return;
    }
    bytes.add(chunk.readableBytes());
    watcher.accept(chunk);
    var _ = peer.write(chunk, peer.voidPromise());
    if (!peer.isWritable()) {
      // Also ends the present read loop; the peer's handler turns it on again.
      context.channel().config().setAutoRead(false);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    peer.flush();
    // Vert.x began the read in which this handler was put in, and holds writes back until its end.
    context.fireChannelReadComplete();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    // This channel takes bytes again (or not): the peer may send again (or not).
    peer.config().setAutoRead(context.channel().isWritable());
    context.fireChannelWritabilityChanged();
  }
}
