// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {CollectionParameters} from "./Minters.sol";
import {MoneyerERC1155} from "./MoneyerERC1155.sol";
import {MoneyerERC721} from "./MoneyerERC721.sol";
import {MoneyerToken, TokenParameters} from "./MoneyerToken.sol";

/// @title Creates tokens and collections at addresses that are known beforehand
/// @notice Every address follows from this factory's address and a salt (CREATE2, EIP-1014), so a caller can be told
/// where its token will be before a block has it. Each creation is safe to send twice: with the same parameters the
/// second time changes nothing, with others it is refused. Only the owner creates, so nobody can take a salt first.
/// @dev Tokens and collections are clones (ERC-1167) of implementations that are named once and never change.
contract MoneyerFactory is Ownable {
    /// @notice What `createToken` clones.
    address public tokenImplementation;

    /// @notice What `createCollection721` clones.
    address public erc721Implementation;

    /// @notice What `createCollection1155` clones.
    address public erc1155Implementation;

    /// @dev What a clone was created with, hashed; zero where nothing was created.
    mapping(address created => bytes32) private _parameters;

    /// @notice The implementations are named, for good.
    event ImplementationsSet(address indexed token, address indexed erc721, address indexed erc1155);

    /// @notice A contract was deployed from its own code.
    event Deployed(address indexed deployed, bytes32 indexed salt);

    /// @notice A token was created.
    event TokenCreated(address indexed token, bytes32 indexed salt);

    /// @notice An ERC-721 collection was created.
    event Collection721Created(address indexed collection, bytes32 indexed salt);

    /// @notice An ERC-1155 collection was created.
    event Collection1155Created(address indexed collection, bytes32 indexed salt);

    /// @notice Other implementations are named already.
    error ImplementationsAlreadySet();

    /// @notice The implementations are not named yet.
    error ImplementationsNotSet();

    /// @notice There is no contract at this address.
    error NotAContract(address account);

    /// @notice This address was created with other parameters.
    error ParametersDiffer(address created);

    /// @param owner Who creates.
    constructor(address owner) Ownable(owner) {}

    /// @notice Names what is cloned. Works once; repeating it with the same addresses changes nothing. Only the owner.
    function setImplementations(address token, address erc721, address erc1155) external onlyOwner {
        if (tokenImplementation != address(0)) {
            bool same = token == tokenImplementation &&
                erc721 == erc721Implementation &&
                erc1155 == erc1155Implementation;
            if (!same) revert ImplementationsAlreadySet();
            return;
        }
        tokenImplementation = _requireContract(token);
        erc721Implementation = _requireContract(erc721);
        erc1155Implementation = _requireContract(erc1155);
        emit ImplementationsSet(token, erc721, erc1155);
    }

    /// @notice Deploys a contract from its creation code, constructor arguments included. Where it is already,
    /// nothing happens: the address says that code and arguments are the same. Only the owner.
    /// @return deployed Where the contract is.
    function deploy(bytes32 salt, bytes calldata initCode) external onlyOwner returns (address deployed) {
        deployed = predictDeployment(salt, keccak256(initCode));
        if (deployed.code.length != 0) return deployed;
        Create2.deploy(0, salt, initCode);
        emit Deployed(deployed, salt);
    }

    /// @notice Creates a token, paused, and sets it up in the same transaction. Only the owner.
    /// @return token Where the token is.
    function createToken(
        bytes32 salt,
        TokenParameters calldata parameters
    ) external onlyOwner returns (address token) {
        token = predictToken(salt);
        if (_isRepeated(token, keccak256(abi.encode(parameters)))) return token;
        Clones.cloneDeterministic(tokenImplementation, salt);
        MoneyerToken(token).initialize(parameters);
        emit TokenCreated(token, salt);
    }

    /// @notice Creates an ERC-721 collection and sets it up in the same transaction. Only the owner.
    /// @return collection Where the collection is.
    function createCollection721(
        bytes32 salt,
        CollectionParameters calldata parameters
    ) external onlyOwner returns (address collection) {
        collection = predictCollection721(salt);
        if (_isRepeated(collection, keccak256(abi.encode(parameters)))) return collection;
        Clones.cloneDeterministic(erc721Implementation, salt);
        MoneyerERC721(collection).initialize(parameters);
        emit Collection721Created(collection, salt);
    }

    /// @notice Creates an ERC-1155 collection and sets it up in the same transaction. Only the owner.
    /// @return collection Where the collection is.
    function createCollection1155(
        bytes32 salt,
        CollectionParameters calldata parameters
    ) external onlyOwner returns (address collection) {
        collection = predictCollection1155(salt);
        if (_isRepeated(collection, keccak256(abi.encode(parameters)))) return collection;
        Clones.cloneDeterministic(erc1155Implementation, salt);
        MoneyerERC1155(collection).initialize(parameters);
        emit Collection1155Created(collection, salt);
    }

    /// @notice Where `deploy` puts the contract whose creation code has this hash.
    function predictDeployment(bytes32 salt, bytes32 initCodeHash) public view returns (address) {
        return Create2.computeAddress(salt, initCodeHash);
    }

    /// @notice Where `createToken` puts the token of this salt.
    function predictToken(bytes32 salt) public view returns (address) {
        return _predict(tokenImplementation, salt);
    }

    /// @notice Where `createCollection721` puts the collection of this salt.
    function predictCollection721(bytes32 salt) public view returns (address) {
        return _predict(erc721Implementation, salt);
    }

    /// @notice Where `createCollection1155` puts the collection of this salt.
    function predictCollection1155(bytes32 salt) public view returns (address) {
        return _predict(erc1155Implementation, salt);
    }

    function _predict(address implementation, bytes32 salt) private view returns (address) {
        if (implementation == address(0)) revert ImplementationsNotSet();
        return Clones.predictDeterministicAddress(implementation, salt);
    }

    function _isRepeated(address created, bytes32 parameters) private returns (bool) {
        bytes32 known = _parameters[created];
        if (known == bytes32(0)) {
            _parameters[created] = parameters;
            return false;
        }
        if (known != parameters) revert ParametersDiffer(created);
        return true;
    }

    function _requireContract(address account) private view returns (address) {
        if (account.code.length == 0) revert NotAContract(account);
        return account;
    }
}
