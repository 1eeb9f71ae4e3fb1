package dev.ebb.walservice.receive;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.SocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * Gives pgjdbc a socket that others can write to as well. pgjdbc makes the factory by its class
 * name and one string, which is the key under which the socket is found. Public for pgjdbc only.
 */
public final class TapSocketFactory extends SocketFactory {
  private static final ConcurrentHashMap<String, TapSocket> SOCKETS = new ConcurrentHashMap<>();

  private final String key;

  /** Called by pgjdbc. */
  public TapSocketFactory(String key) {
    this.key = key;
  }

  /** Takes the socket that was made for a key; null where there is none. */
  static @Nullable TapSocket take(String key) {
    return SOCKETS.remove(key);
  }

  @Override
  public Socket createSocket() {
    var socket = new TapSocket();
    SOCKETS.put(key, socket);
    return socket;
  }

  @Override
  public Socket createSocket(String host, int port) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Socket createSocket(String host, int port, InetAddress local, int localPort) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Socket createSocket(InetAddress host, int port) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) {
    throw new UnsupportedOperationException();
  }

  /** A socket whose writes do not mix, and which tells whether another message is there. */
  static final class TapSocket extends Socket {
    private final ReentrantLock writing = new ReentrantLock();
    private @Nullable OutputStream out;
    private @Nullable MessageInput in;

    @Override
    public OutputStream getOutputStream() throws IOException {
      writing.lock();
      try {
        if (out == null) {
          out = new Whole(super.getOutputStream());
        }
        return out;
      } finally {
        writing.unlock();
      }
    }

    @Override
    public InputStream getInputStream() throws IOException {
      return messages();
    }

    /** Whether a further message has begun to arrive; by the reading thread. */
    boolean hasMore() throws IOException {
      return messages().hasMore();
    }

    private MessageInput messages() throws IOException {
      MessageInput present = in;
      if (present == null) {
        present = new MessageInput(super.getInputStream());
        in = present;
      }
      return present;
    }

    private final class Whole extends FilterOutputStream {
      Whole(OutputStream out) {
        super(out);
      }

      @Override
      public void write(byte[] bytes, int offset, int length) throws IOException {
        writing.lock();
        try {
          out.write(bytes, offset, length);
        } finally {
          writing.unlock();
        }
      }
    }
  }
}
