// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import {Agents} from "./Agents.sol";
import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @notice What a token is created with.
/// @param name As ERC-20.
/// @param symbol As ERC-20.
/// @param decimals As ERC-20.
/// @param cap The most base units that may exist; 0 means no cap.
/// @param identityRegistry Which wallets may hold the token.
/// @param onchainID The token's own identity; may be zero.
/// @param owner Who names agents and changes settings.
/// @param agent The first agent.
/// @param holderTransfers Whether holders may transfer among themselves.
struct TokenParameters {
    string name;
    string symbol;
    uint8 decimals;
    uint256 cap;
    address identityRegistry;
    address onchainID;
    address owner;
    address agent;
    bool holderTransfers;
}

/// @title A permissioned token with the agent interface of ERC-3643
/// @notice Agents mint, burn, force transfers, freeze, recover and pause; the owner names agents and sets the cap,
/// the registry and whether holders may transfer. A token is created paused.
///
/// Stricter than the standard asks: nothing is minted while the token is paused or to a frozen wallet, a frozen
/// wallet receives nothing, both sides of a holder's transfer must be verified, and holders' transfers are off
/// unless the owner allows them, because rules that a server judges cannot judge a transfer it never sees.
/// Burns, forced transfers and recoveries work while the token is paused: they are how a mistake is repaired.
///
/// A batch is applied whole or not at all. An error that concerns one line of it names the line, counted from 0.
/// @dev Made to be cloned (ERC-1167): the implementation itself can never be initialised. There is no on-chain
/// compliance contract; `compliance()` says so with the zero address. Frozen tokens never exceed the balance.
contract MoneyerToken is ERC20Upgradeable, Agents {
    uint256 private _cap;
    address private _onchainID;

    // One slot, read once per mint.
    IIdentityRegistry private _identityRegistry;
    uint8 private _decimals;
    bool private _paused;
    bool private _holderTransfers;

    mapping(address wallet => bool) private _frozen;
    mapping(address wallet => uint256) private _frozenTokens;

    /// @notice The token's description changed (ERC-3643).
    event UpdatedTokenInformation(
        string indexed newName,
        string indexed newSymbol,
        uint8 newDecimals,
        string newVersion,
        address indexed newOnchainID
    );

    /// @notice The token asks `identityRegistry` from now on.
    event IdentityRegistryAdded(address indexed identityRegistry);

    /// @notice Everything `lostWallet` held is now held by `newWallet` of the same investor.
    event RecoverySuccess(address indexed lostWallet, address indexed newWallet, address indexed investorOnchainID);

    /// @notice `wallet` was frozen or unfrozen as a whole by the agent `by`.
    event AddressFrozen(address indexed wallet, bool indexed isFrozen, address indexed by);

    /// @notice `amount` base units of `wallet` can no longer be transferred by it.
    event TokensFrozen(address indexed wallet, uint256 amount);

    /// @notice `amount` base units of `wallet` are free again.
    event TokensUnfrozen(address indexed wallet, uint256 amount);

    /// @notice Minting and holders' transfers stopped.
    event Paused(address by);

    /// @notice Minting and holders' transfers may go on.
    event Unpaused(address by);

    /// @notice The most base units that may exist; 0 means no cap.
    event CapSet(uint256 cap);

    /// @notice Whether holders may transfer among themselves.
    event HolderTransfersSet(bool allowed);

    /// @notice The token is paused.
    error TokenPaused();

    /// @notice The token is not paused.
    error TokenNotPaused();

    /// @notice The owner has not allowed transfers between holders.
    error HolderTransfersOff();

    /// @notice The arrays of a batch have different lengths.
    error LengthMismatch();

    /// @notice There is no contract at this address.
    error NotAContract(address account);

    /// @notice The supply would be above the cap.
    error CapExceeded(uint256 cap, uint256 supply);

    /// @notice The amount of this line is zero.
    error AmountZero(uint256 line);

    /// @notice The registry does not verify the sender of this line.
    error SenderNotVerified(uint256 line, address sender);

    /// @notice The sender of this line is frozen.
    error SenderFrozen(uint256 line, address sender);

    /// @notice The registry does not verify the recipient of this line.
    error RecipientNotVerified(uint256 line, address recipient);

    /// @notice The recipient of this line is frozen.
    error RecipientFrozen(uint256 line, address recipient);

    /// @notice The holder of this line has less than is needed.
    error BalanceTooLow(uint256 line, address holder, uint256 balance, uint256 needed);

    /// @notice The holder of this line has less that is not frozen than is needed.
    error FreeBalanceTooLow(uint256 line, address holder, uint256 free, uint256 needed);

    /// @notice The holder of this line has less that is frozen than is needed.
    error FrozenBalanceTooLow(uint256 line, address holder, uint256 frozen, uint256 needed);

    /// @notice The registry does not say that the wallet belongs to the investor whose wallet is recovered.
    error NotTheInvestor(address wallet, address investorOnchainID);

    constructor() {
        _disableInitializers();
    }

    // --- creation ---------------------------------------------------------------------------------------------------

    /// @notice Sets a clone up, paused. Works once; the factory calls it in the transaction that creates the clone.
    function initialize(TokenParameters calldata parameters) external initializer {
        __ERC20_init(parameters.name, parameters.symbol);
        __Ownable_init(parameters.owner);
        _addAgent(parameters.agent);
        _decimals = parameters.decimals;
        _paused = true;
        _onchainID = parameters.onchainID;
        _setIdentityRegistry(parameters.identityRegistry);
        _setCap(parameters.cap);
        _setHolderTransfers(parameters.holderTransfers);
        emit Paused(_msgSender());
        _emitInformation();
    }

    // --- supply -----------------------------------------------------------------------------------------------------

    /// @notice Mints `amount` base units to `recipient`. Only an agent.
    function mint(address recipient, uint256 amount) external onlyAgent {
        _requireNotPaused();
        _mintLine(_identityRegistry, 0, recipient, amount);
        _requireWithinCap();
    }

    /// @notice Mints `amounts[line]` base units to `recipients[line]`. Only an agent.
    function batchMint(address[] calldata recipients, uint256[] calldata amounts) external onlyAgent {
        _requireSameLength(recipients.length, amounts.length);
        _requireNotPaused();
        IIdentityRegistry registry = _identityRegistry;
        for (uint256 line = 0; line < recipients.length; ++line) {
            _mintLine(registry, line, recipients[line], amounts[line]);
        }
        _requireWithinCap();
    }

    /// @notice Burns `amount` base units of `holder`, frozen ones last. Only an agent.
    function burn(address holder, uint256 amount) external onlyAgent {
        _burnLine(0, holder, amount);
    }

    /// @notice Burns `amounts[line]` base units of `holders[line]`, frozen ones last. Only an agent.
    function batchBurn(address[] calldata holders, uint256[] calldata amounts) external onlyAgent {
        _requireSameLength(holders.length, amounts.length);
        for (uint256 line = 0; line < holders.length; ++line) {
            _burnLine(line, holders[line], amounts[line]);
        }
    }

    // --- transfers --------------------------------------------------------------------------------------------------

    /// @notice As ERC-20, where the owner allows holders' transfers.
    function transfer(address to, uint256 amount) public override returns (bool) {
        _requireTransferable(0, _msgSender(), to, amount);
        return super.transfer(to, amount);
    }

    /// @notice As ERC-20, where the owner allows holders' transfers.
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _requireTransferable(0, from, to, amount);
        return super.transferFrom(from, to, amount);
    }

    /// @notice Transfers `amounts[line]` base units of the caller to `recipients[line]`.
    function batchTransfer(address[] calldata recipients, uint256[] calldata amounts) external {
        _requireSameLength(recipients.length, amounts.length);
        for (uint256 line = 0; line < recipients.length; ++line) {
            _requireTransferable(line, _msgSender(), recipients[line], amounts[line]);
            _transfer(_msgSender(), recipients[line], amounts[line]);
        }
    }

    /// @notice Moves `amount` base units against the holder's will, frozen ones last; the sender may be frozen or
    /// not verified, the recipient may not. Only an agent.
    /// @return True, as ERC-3643 wants.
    function forcedTransfer(address from, address to, uint256 amount) external onlyAgent returns (bool) {
        _forceLine(0, from, to, amount);
        return true;
    }

    /// @notice Does `forcedTransfer` for every line. Only an agent.
    function batchForcedTransfer(
        address[] calldata senders,
        address[] calldata recipients,
        uint256[] calldata amounts
    ) external onlyAgent {
        _requireSameLength(senders.length, recipients.length);
        _requireSameLength(senders.length, amounts.length);
        for (uint256 line = 0; line < senders.length; ++line) {
            _forceLine(line, senders[line], recipients[line], amounts[line]);
        }
    }

    /// @notice Moves everything `lostWallet` holds to `newWallet`, with what is frozen of it and whether the wallet
    /// is frozen. The registry must say that `newWallet` is a verified wallet of `investorOnchainID`, and must not
    /// say that `lostWallet` belongs to somebody else. Only an agent.
    /// @return True, as ERC-3643 wants.
    function recoveryAddress(
        address lostWallet,
        address newWallet,
        address investorOnchainID
    ) external onlyAgent returns (bool) {
        _requireSameInvestor(lostWallet, newWallet, investorOnchainID);
        uint256 amount = balanceOf(lostWallet);
        if (amount == 0) revert BalanceTooLow(0, lostWallet, 0, 1);

        uint256 frozen = _frozenTokens[lostWallet];
        if (frozen != 0) _unfreezeLine(0, lostWallet, frozen);
        _transfer(lostWallet, newWallet, amount);
        if (frozen != 0) _freezeLine(0, newWallet, frozen);
        if (_frozen[lostWallet]) _setFrozen(newWallet, true);

        emit RecoverySuccess(lostWallet, newWallet, investorOnchainID);
        return true;
    }

    // --- freezes and pause ------------------------------------------------------------------------------------------

    /// @notice Freezes or unfreezes a whole wallet; repeating it changes nothing. Only an agent.
    function setAddressFrozen(address wallet, bool frozen) external onlyAgent {
        _setFrozen(wallet, frozen);
    }

    /// @notice Does `setAddressFrozen` for every line. Only an agent.
    function batchSetAddressFrozen(address[] calldata wallets, bool[] calldata frozen) external onlyAgent {
        _requireSameLength(wallets.length, frozen.length);
        for (uint256 line = 0; line < wallets.length; ++line) {
            _setFrozen(wallets[line], frozen[line]);
        }
    }

    /// @notice Freezes `amount` base units that `wallet` holds, on top of what is frozen. Only an agent.
    function freezePartialTokens(address wallet, uint256 amount) external onlyAgent {
        _freezeLine(0, wallet, amount);
    }

    /// @notice Does `freezePartialTokens` for every line. Only an agent.
    function batchFreezePartialTokens(address[] calldata wallets, uint256[] calldata amounts) external onlyAgent {
        _requireSameLength(wallets.length, amounts.length);
        for (uint256 line = 0; line < wallets.length; ++line) {
            _freezeLine(line, wallets[line], amounts[line]);
        }
    }

    /// @notice Makes `amount` frozen base units of `wallet` free again. Only an agent.
    function unfreezePartialTokens(address wallet, uint256 amount) external onlyAgent {
        _unfreezeLine(0, wallet, amount);
    }

    /// @notice Does `unfreezePartialTokens` for every line. Only an agent.
    function batchUnfreezePartialTokens(address[] calldata wallets, uint256[] calldata amounts) external onlyAgent {
        _requireSameLength(wallets.length, amounts.length);
        for (uint256 line = 0; line < wallets.length; ++line) {
            _unfreezeLine(line, wallets[line], amounts[line]);
        }
    }

    /// @notice Stops minting and holders' transfers. Only an agent.
    function pause() external onlyAgent {
        _requireNotPaused();
        _paused = true;
        emit Paused(_msgSender());
    }

    /// @notice Lets minting and holders' transfers go on. Only an agent.
    function unpause() external onlyAgent {
        if (!_paused) revert TokenNotPaused();
        _paused = false;
        emit Unpaused(_msgSender());
    }

    // --- settings ---------------------------------------------------------------------------------------------------

    /// @notice Sets the most base units that may exist; 0 means no cap. Not below the supply. Only the owner.
    function setCap(uint256 newCap) external onlyOwner {
        _setCap(newCap);
        _requireWithinCap();
    }

    /// @notice Lets holders transfer among themselves, or not. Only the owner.
    function setHolderTransfers(bool allowed) external onlyOwner {
        _setHolderTransfers(allowed);
    }

    /// @notice Makes the token ask another registry. Only the owner.
    function setIdentityRegistry(address registry) external onlyOwner {
        _setIdentityRegistry(registry);
    }

    /// @notice Sets the token's own identity; zero for none. Only the owner.
    function setOnchainID(address newOnchainID) external onlyOwner {
        _onchainID = newOnchainID;
        _emitInformation();
    }

    // --- views ------------------------------------------------------------------------------------------------------

    /// @notice As ERC-20.
    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @notice The version of this contract.
    function version() public pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice The token's own identity; zero for none.
    function onchainID() external view returns (address) {
        return _onchainID;
    }

    /// @notice The registry the token asks.
    function identityRegistry() external view returns (IIdentityRegistry) {
        return _identityRegistry;
    }

    /// @notice Zero: there is no on-chain compliance contract.
    function compliance() external pure returns (address) {
        return address(0);
    }

    /// @notice Whether minting and holders' transfers are stopped.
    function paused() external view returns (bool) {
        return _paused;
    }

    /// @notice Whether the whole wallet is frozen.
    function isFrozen(address wallet) external view returns (bool) {
        return _frozen[wallet];
    }

    /// @notice How many base units of `wallet` are frozen.
    function getFrozenTokens(address wallet) external view returns (uint256) {
        return _frozenTokens[wallet];
    }

    /// @notice The most base units that may exist; 0 means no cap.
    function cap() external view returns (uint256) {
        return _cap;
    }

    /// @notice Whether holders may transfer among themselves.
    function holderTransfers() external view returns (bool) {
        return _holderTransfers;
    }

    // --- one line ---------------------------------------------------------------------------------------------------

    function _mintLine(IIdentityRegistry registry, uint256 line, address recipient, uint256 amount) private {
        _requireAmount(line, amount);
        _requireRecipient(registry, line, recipient);
        _mint(recipient, amount);
    }

    function _burnLine(uint256 line, address holder, uint256 amount) private {
        _requireAmount(line, amount);
        _releaseFor(line, holder, amount);
        _burn(holder, amount);
    }

    function _forceLine(uint256 line, address from, address to, uint256 amount) private {
        _requireAmount(line, amount);
        _requireRecipient(_identityRegistry, line, to);
        _releaseFor(line, from, amount);
        _transfer(from, to, amount);
    }

    function _freezeLine(uint256 line, address wallet, uint256 amount) private {
        _requireAmount(line, amount);
        _requireFree(line, wallet, amount);
        _frozenTokens[wallet] += amount;
        emit TokensFrozen(wallet, amount);
    }

    function _unfreezeLine(uint256 line, address wallet, uint256 amount) private {
        _requireAmount(line, amount);
        uint256 frozen = _frozenTokens[wallet];
        if (amount > frozen) revert FrozenBalanceTooLow(line, wallet, frozen, amount);
        _frozenTokens[wallet] = frozen - amount;
        emit TokensUnfrozen(wallet, amount);
    }

    /// @dev Unfreezes what is missing so that `amount` can leave: free tokens go first.
    function _releaseFor(uint256 line, address holder, uint256 amount) private {
        uint256 balance = balanceOf(holder);
        if (amount > balance) revert BalanceTooLow(line, holder, balance, amount);
        uint256 free = balance - _frozenTokens[holder];
        if (amount > free) _unfreezeLine(line, holder, amount - free);
    }

    // --- rules ------------------------------------------------------------------------------------------------------

    function _requireSameLength(uint256 one, uint256 other) private pure {
        if (one != other) revert LengthMismatch();
    }

    function _requireNotPaused() private view {
        if (_paused) revert TokenPaused();
    }

    function _requireAmount(uint256 line, uint256 amount) private pure {
        if (amount == 0) revert AmountZero(line);
    }

    /// @dev After the change, once per call: the supply is read once, whatever the number of lines.
    function _requireWithinCap() private view {
        uint256 limit = _cap;
        if (limit != 0 && totalSupply() > limit) revert CapExceeded(limit, totalSupply());
    }

    function _requireRecipient(IIdentityRegistry registry, uint256 line, address recipient) private view {
        if (_frozen[recipient]) revert RecipientFrozen(line, recipient);
        if (!registry.isVerified(recipient)) revert RecipientNotVerified(line, recipient);
    }

    function _requireFree(uint256 line, address holder, uint256 amount) private view {
        uint256 free = balanceOf(holder) - _frozenTokens[holder];
        if (amount > free) revert FreeBalanceTooLow(line, holder, free, amount);
    }

    function _requireTransferable(uint256 line, address from, address to, uint256 amount) private view {
        _requireNotPaused();
        if (!_holderTransfers) revert HolderTransfersOff();
        IIdentityRegistry registry = _identityRegistry;
        if (_frozen[from]) revert SenderFrozen(line, from);
        if (!registry.isVerified(from)) revert SenderNotVerified(line, from);
        _requireRecipient(registry, line, to);
        _requireFree(line, from, amount);
    }

    function _requireSameInvestor(address lostWallet, address newWallet, address investor) private view {
        IIdentityRegistry registry = _identityRegistry;
        _requireRecipient(registry, 0, newWallet);
        if (registry.identity(newWallet) != investor) revert NotTheInvestor(newWallet, investor);
        address former = registry.identity(lostWallet);
        if (former != address(0) && former != investor) revert NotTheInvestor(lostWallet, investor);
    }

    // --- writes -----------------------------------------------------------------------------------------------------

    function _setFrozen(address wallet, bool frozen) private {
        _frozen[wallet] = frozen;
        emit AddressFrozen(wallet, frozen, _msgSender());
    }

    function _setCap(uint256 newCap) private {
        _cap = newCap;
        emit CapSet(newCap);
    }

    function _setHolderTransfers(bool allowed) private {
        _holderTransfers = allowed;
        emit HolderTransfersSet(allowed);
    }

    function _setIdentityRegistry(address registry) private {
        if (registry.code.length == 0) revert NotAContract(registry);
        _identityRegistry = IIdentityRegistry(registry);
        emit IdentityRegistryAdded(registry);
    }

    function _emitInformation() private {
        emit UpdatedTokenInformation(name(), symbol(), _decimals, version(), _onchainID);
    }
}
