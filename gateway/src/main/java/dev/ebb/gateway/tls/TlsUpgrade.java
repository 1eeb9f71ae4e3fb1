package dev.ebb.gateway.tls;

import dev.ebb.shared.scram.EndPointBinding;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
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

  private volatile Shown shown;

  /** What new connections are given; those that are open keep what they have. */
  private record Shown(
      TlsMaterial material, SslContext context, @Nullable EndPointBinding binding) {}

  /**
   * Shows this until something else is to be shown.
   *
   * @throws IllegalArgumentException where it cannot be used, with the reason
   */
  public TlsUpgrade(TlsMaterial material) {
    this.shown = prepare(material);
  }

  /** The same for clients without certificates. */
  public TlsUpgrade(ServerCertificate certificate) {
    this(new TlsMaterial(certificate, List.of()));
  }

  /**
   * Gives new connections something else. On any thread.
   *
   * @throws IllegalArgumentException where it cannot be used, with the reason; nothing changes then
   */
  void show(TlsMaterial material) {
    shown = prepare(material);
  }

  TlsMaterial shown() {
    return shown.material();
  }

  long notAfterEpochMs() {
    return shown.material().server().chain().getFirst().getNotAfter().toInstant().toEpochMilli();
  }

  private static Shown prepare(TlsMaterial material) {
    List<X509Certificate> chain = material.server().chain();
    SslContextBuilder builder =
        SslContextBuilder.forServer(material.server().key(), chain.toArray(X509Certificate[]::new))
            .sslProvider(SslProvider.JDK)
            .applicationProtocolConfig(
                new ApplicationProtocolConfig(
                    Protocol.ALPN,
                    SelectorFailureBehavior.NO_ADVERTISE,
                    SelectedListenerFailureBehavior.ACCEPT,
                    APPLICATION_PROTOCOL));
    if (!material.clientAuthorities().isEmpty()) {
      // Optional even where one is required: an error of PostgreSQL's says more than an alert.
      builder
          .trustManager(material.clientAuthorities().toArray(X509Certificate[]::new))
          .clientAuth(ClientAuth.OPTIONAL);
    }
    try {
      return new Shown(
          material, builder.build(), EndPointBinding.of(chain.getFirst()).orElse(null));
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
    Shown now = shown;
    SslHandler handler = now.context().newHandler(channel.alloc());
    Promise<TlsSession> done = context.promise();
    channel.pipeline().addFirst("ssl", handler);
    handler
        .handshakeFuture()
        .addListener(result -> {
          if (result.isSuccess()) {
            done.tryComplete(session(handler, now.binding()));
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

  private static TlsSession session(SslHandler handler, @Nullable EndPointBinding binding) {
    SSLSession session = handler.engine().getSession();
    return new TlsSession(
        handler.applicationProtocol(), binding, serverName(session), client(session));
  }

  private static @Nullable String serverName(SSLSession session) {
    if (session instanceof ExtendedSSLSession extended) {
      for (SNIServerName name : extended.getRequestedServerNames()) {
        if (name instanceof SNIHostName host) {
          return host.getAsciiName().toLowerCase(Locale.ROOT);
        }
      }
    }
    return null;
  }

  private static @Nullable X509Certificate client(SSLSession session) {
    try {
      return session.getPeerCertificates()[0] instanceof X509Certificate shown ? shown : null;
    } catch (SSLPeerUnverifiedException e) {
      return null;
    }
  }
}
