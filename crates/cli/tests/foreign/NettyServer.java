// Echo server of hixie-76, hybi-07, hybi-08 and hybi-13: Debian's Netty 4.1.48.
// Output and stdin are those of server.js.
//
// It reads no hixie frame that does not come in one read, and after it has
// answered a close of hixie it leaves the end of TCP to the client. Held to one
// draft of hybi, it answers others with the list of its one version.

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;

public class NettyServer {
    static final Map<WebSocketVersion, String> DRAFTS = Map.of(
        WebSocketVersion.V00, "hixie-76", WebSocketVersion.V07, "hybi-07",
        WebSocketVersion.V08, "hybi-08", WebSocketVersion.V13, "hybi-13");
    static final PrintStream OUT =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    static final ChannelGroup CLIENTS = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    static String subprotocol;
    static String only;
    static volatile boolean closing;

    public static void main(String[] args) throws Exception {
        if (args.length == 2 && args[0].equals("--subprotocol")) {
            subprotocol = args[1];
        } else if (args.length == 2 && args[0].equals("--only")) {
            only = args[1];
        } else if (args.length != 0) {
            System.err.println("usage: NettyServer [--subprotocol NAME | --only DRAFT]");
            System.exit(2);
        }
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        Channel listener = new ServerBootstrap().group(group).channel(NioServerSocketChannel.class)
            .childHandler(new ChannelInitializer<Channel>() {
                @Override protected void initChannel(Channel made) {
                    made.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(8192),
                        new WebSocketFrameAggregator(1 << 20), new Echo());
                }
            }).bind("127.0.0.1", 0).sync().channel();
        OUT.println("PORT " + ((InetSocketAddress) listener.localAddress()).getPort());

        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            byte[] octets = new byte[256];
            for (int i = 0; i < octets.length; i++) octets[i] = (byte) i;
            if (line.equals("ping")) {
                CLIENTS.writeAndFlush(new PingWebSocketFrame(
                    Unpooled.copiedBuffer("still there?", StandardCharsets.UTF_8)));
            } else if (line.equals("close")) {
                closing = true;
                CLIENTS.writeAndFlush(new CloseWebSocketFrame(1000, "bye"));
            } else if (line.equals("binary")) {
                CLIENTS.writeAndFlush(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(octets)));
            }
        }
        System.exit(0);
    }

    static class Echo extends SimpleChannelInboundHandler<Object> {
        WebSocketServerHandshaker opening;
        String code = "null";

        @Override protected void channelRead0(ChannelHandlerContext context, Object message) {
            if (message instanceof FullHttpRequest) {
                open(context, (FullHttpRequest) message);
            } else if (message instanceof CloseWebSocketFrame) {
                CloseWebSocketFrame close = (CloseWebSocketFrame) message;
                if (close.statusCode() >= 0) code = String.valueOf(close.statusCode());
                if (closing) context.close();
                else opening.close(context.channel(), close.retain());
            } else if (message instanceof PingWebSocketFrame) {
                WebSocketFrame ping = (WebSocketFrame) message;
                context.writeAndFlush(new PongWebSocketFrame(ping.content().retain()));
            } else if (message instanceof PongWebSocketFrame) {
                String text = ((WebSocketFrame) message).content().toString(StandardCharsets.UTF_8);
                OUT.println("{\"event\":\"pong\",\"text\":\"" + text + "\"}");
            } else {
                context.writeAndFlush(((WebSocketFrame) message).retain());
            }
        }

        void open(ChannelHandlerContext context, FullHttpRequest request) {
            String url = "ws://" + request.headers().get("Host") + request.uri();
            opening = new WebSocketServerHandshakerFactory(url, subprotocol, false, 1 << 20)
                .newHandshaker(request);
            if (opening == null) {
                WebSocketServerHandshakerFactory.sendUnsupportedVersionResponse(context.channel());
                return;
            }
            if (only != null && !only.equals(DRAFTS.get(opening.version()))) {
                FullHttpResponse answer = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1,
                    HttpResponseStatus.UPGRADE_REQUIRED);
                String version = only.substring(only.indexOf('-') + 1);
                answer.headers().set("Sec-WebSocket-Version", Integer.parseInt(version));
                answer.headers().set("Content-Length", 0);
                context.writeAndFlush(answer);
                opening = null;
                return;
            }
            opening.handshake(context.channel(), request);
            closing = false;
            CLIENTS.add(context.channel());
            String agreed = opening.selectedSubprotocol();
            OUT.println("{\"event\":\"open\",\"draft\":\"" + DRAFTS.get(opening.version())
                + "\",\"subprotocol\":" + (agreed == null ? "null" : '"' + agreed + '"') + "}");
        }

        @Override public void channelInactive(ChannelHandlerContext context) {
            if (opening != null) OUT.println("{\"event\":\"close\",\"code\":" + code + "}");
        }

        @Override public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
            OUT.println("{\"event\":\"error\",\"reason\":\"" + error.toString().replace('"', '\'') + "\"}");
            context.close();
        }
    }
}
