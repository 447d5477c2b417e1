import { keepThreadPoolAwake } from '../../src/store/thread-pool.ts';

keepThreadPoolAwake();
