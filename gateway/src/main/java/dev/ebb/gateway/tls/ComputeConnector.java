package dev.ebb.gateway.tls;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.net.NetSocketInternal;
import io.vertx.core.net.NetClient;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;

/**
 * Opens connections to computes: plain ones, or, where it has authorities to trust, TLS ones only.
 * A compute must then show a certificate of theirs that is made out to the address that it is
 * connected to by; there is no falling back. For any thread.
 */
public final class ComputeConnector {
  private static final int SSL_REQUEST_CODE = 80877103;
  private static final long TLS_TIMEOUT_MS = 5_000;

  private final @Nullable SslContext tls;

  private ComputeConnector(@Nullable SslContext tls) {
    this.tls = tls;
  }

  /**
   * Makes one. Blocking.
   *
   * @param authorities a PEM file; null for plain connections
   * @throws IllegalArgumentException where the file cannot be used, with the reason
   */
  public static ComputeConnector trusting(@Nullable Path authorities) {
    if (authorities == null) {
      return new ComputeConnector(null);
    }
    try {
      return new ComputeConnector(
          SslContextBuilder.forClient()
              .sslProvider(SslProvider.JDK)
              .trustManager(
                  ServerCertificate.readChain(authorities).toArray(X509Certificate[]::new))
              .build());
    } catch (SSLException e) {
      throw new IllegalArgumentException(
          "the certificates in " + authorities + " cannot be used: " + e.getMessage(), e);
    }
  }

  /**
   * Connects.
   *
   * @param context of the caller's event loop
   */
  public Future<NetSocketInternal> connect(
      ContextInternal context, NetClient client, String host, int port) {
    Future<NetSocketInternal> connected =
        client.connect(port, host).map(NetSocketInternal.class::cast);
    SslContext with = tls;
    return with == null
        ? connected
        : connected.compose(socket ->
            encrypt(context, socket, with, host, port)
                .timeout(TLS_TIMEOUT_MS, TimeUnit.MILLISECONDS)
                .onFailure(error -> socket.close()));
  }

  private static Future<NetSocketInternal> encrypt(
      ContextInternal context, NetSocketInternal socket, SslContext with, String host, int port) {
    Promise<NetSocketInternal> done = context.promise();
    socket.closeHandler(gone -> done.tryFail(new IOException("closed instead of offering TLS")));
    socket.exceptionHandler(error -> done.tryFail(new IOException("TLS: " + error, error)));
    socket.messageHandler(message -> {
      var answer = (ByteBuf) message;
      try {
        // Anything behind the one byte came in the clear, from whomever.
        if (answer.readableBytes() != 1 || answer.readByte() != 'S') {
          done.tryFail(new IOException("it does not offer TLS"));
          return;
        }
      } finally {
        ReferenceCountUtil.release(message);
      }
      shakeHands(socket, with, host, port, done);
    });
    socket.write(Buffer.buffer(8).appendInt(8).appendInt(SSL_REQUEST_CODE));
    return done.future();
  }

  private static void shakeHands(
      NetSocketInternal socket,
      SslContext with,
      String host,
      int port,
      Promise<NetSocketInternal> done) {
    ChannelHandlerContext channel = socket.channelHandlerContext();
    SslHandler handler = with.newHandler(channel.alloc(), host, port);
    SSLParameters parameters = handler.engine().getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    handler.engine().setSSLParameters(parameters);
    socket.messageHandler(ReferenceCountUtil::release);
    channel.pipeline().addFirst("ssl", handler);
    handler
        .handshakeFuture()
        .addListener(result -> {
          if (result.isSuccess()) {
            done.tryComplete(socket);
          } else {
            Throwable cause = result.cause();
            done.tryFail(new IOException("TLS: " + cause.getMessage(), cause));
          }
        });
  }
}
