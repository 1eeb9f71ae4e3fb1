package dev.ebb.gateway.tls;

import dev.ebb.shared.scram.EndPointBinding;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Turns a plain connection into a TLS one.
 *
 * <p>Done on Netty's pipeline rather than with {@code NetSocket.upgradeToSsl}: the TLS handler must
 * be in place in the very step of the event loop that answers the client, so that no byte which
 * arrived in the clear can be taken for a decrypted one (CVE-2021-23222 and its kind).
 */
public final class TlsUpgrade {
  /** The name under which TLS clients ask for PostgreSQL (ALPN). */
  public static final String APPLICATION_PROTOCOL = "postgresql";

  /** First byte of a TLS handshake record. */
  public static final byte HANDSHAKE_RECORD = 0x16;

  private final SslContext tls;
  private final @Nullable EndPointBinding binding;

  public TlsUpgrade(ServerCertificate certificate) {
    this.binding = EndPointBinding.of(certificate.chain().getFirst()).orElse(null);
    try {
      this.tls =
          SslContextBuilder.forServer(
                  certificate.key(), certificate.chain().toArray(X509Certificate[]::new))
              .sslProvider(SslProvider.JDK)
              .applicationProtocolConfig(
                  new ApplicationProtocolConfig(
                      Protocol.ALPN,
                      SelectorFailureBehavior.NO_ADVERTISE,
                      SelectedListenerFailureBehavior.ACCEPT,
                      APPLICATION_PROTOCOL))
              .build();
    } catch (SSLException e) {
      throw new IllegalArgumentException(
          "the TLS certificate cannot be used: " + e.getMessage(), e);
    }
  }

  /**
   * Answers an SSLRequest and shakes hands. On the socket's event loop only.
   *
   * @param context the socket's
   * @return when the connection is encrypted; fails where the handshake does
   */
  public Future<TlsSession> accept(ContextInternal context, NetSocketInternal socket) {
    ChannelHandlerContext channel = socket.channelHandlerContext();
    var _ = channel.writeAndFlush(channel.alloc().buffer(1, 1).writeByte('S'));
    return handshake(context, channel, null);
  }

  /**
   * Shakes hands with a client that began with TLS itself.
   *
   * @param received what it has sent so far; taken over
   */
  public Future<TlsSession> acceptDirect(
      ContextInternal context, NetSocketInternal socket, ByteBuf received) {
    return handshake(context, socket.channelHandlerContext(), received);
  }

  private Future<TlsSession> handshake(
      ContextInternal context, ChannelHandlerContext channel, @Nullable ByteBuf received) {
    SslHandler handler = tls.newHandler(channel.alloc());
    Promise<TlsSession> done = context.promise();
    channel.pipeline().addFirst("ssl", handler);
    handler
        .handshakeFuture()
        .addListener(result -> {
          if (result.isSuccess()) {
            done.tryComplete(session(handler));
          } else {
            done.tryFail(result.cause());
          }
        });
    if (received != null) {
      channel.pipeline().fireChannelRead(received);
      channel.pipeline().fireChannelReadComplete();
    }
    return done.future();
  }

  private TlsSession session(SslHandler handler) {
    return new TlsSession(handler.applicationProtocol(), binding, null, null);
  }
}
